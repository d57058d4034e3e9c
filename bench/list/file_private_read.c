/* file_private_read: read faults in a MAP_PRIVATE mapping of a file whose pages are in the cache. */
#include "../frame.h"
#include "../parts/cached_file.h"

#include <sys/mman.h>

static void run(long arg)
{
	cached_file_measure(MAP_PRIVATE, false);
}

BENCH(file_private_read, .unit = "ns",
      .what = "read fault in a private mapping of a cached file, a page", .run = run)
