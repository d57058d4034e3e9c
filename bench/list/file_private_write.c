/* file_private_write: write faults in a MAP_PRIVATE mapping of a file whose pages are in the cache. */
#include "../frame.h"
#include "../parts/cached_file.h"

#include <sys/mman.h>

static void run(long arg)
{
	cached_file_measure(MAP_PRIVATE, true);
}

BENCH(file_private_write, .unit = "ns",
      .what = "write fault in a private mapping of a cached file, a page (copies it)", .run = run)
