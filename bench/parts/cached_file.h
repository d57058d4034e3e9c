/* cached_file.h - first loads and stores through mappings of a file whose pages are in the cache. */
#ifndef BENCH_CACHED_FILE_H
#define BENCH_CACHED_FILE_H

#include <stdbool.h>

/* Maps such a file with MAP_PRIVATE or MAP_SHARED and stores to, or loads from, each page; the result is what a page took. */
void cached_file_measure(int flags, bool store);

#endif
