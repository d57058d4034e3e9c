/* file_shared_write: write faults in a MAP_SHARED mapping of a file whose pages are in the cache. */
#include "../frame.h"
#include "../parts/cached_file.h"

#include <sys/mman.h>

static void run(long arg)
{
	cached_file_measure(MAP_SHARED, true);
}

BENCH(file_shared_write, .unit = "ns",
      .what = "write fault in a shared mapping of a cached file, a page", .run = run)
