/*
 * main.c - `model`: random streams of operations on mm, compared with a naive model.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"

static const char usage[] =
	"usage: model [--seed S] [--ops N] [--streams N] [--cpus K] [--fail] [--verbose]\n"
	"  --ops N      operations of each stream\n"
	"  --streams N  so many streams, with seeds S, S+1, ...\n"
	"  --fail       each operation also with each of its allocations failing\n";

static u64 number(const char *s)
{
	char *end;
	u64 n = strtoull(s, &end, 0);

	if (*end || end == s) {
		fprintf(stderr, "model: %s is not a number\n", s);
		exit(2);
	}
	return n;
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "seed", required_argument, NULL, 's' },
						 { "ops", required_argument, NULL, 'o' },
						 { "streams", required_argument, NULL, 'n' },
						 { "cpus", required_argument, NULL, 'c' },
						 { "fail", no_argument, NULL, 'f' },
						 { "verbose", no_argument, NULL, 'v' },
						 { 0 } };
	struct stream_options o = { .seed = 1, .ops = 100000, .cpus = 4 };
	u64 streams = 1, attempts = 0;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 's':
			o.seed = number(optarg);
			break;
		case 'o':
			o.ops = number(optarg);
			break;
		case 'n':
			streams = number(optarg);
			break;
		case 'c':
			o.cpus = (u32)number(optarg);
			break;
		case 'f':
			o.fail = true;
			break;
		case 'v':
			o.verbose = true;
			break;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	if (optind < argc || o.cpus < 1 || o.cpus > HOSTED_CPUS) {
		fputs(usage, stderr);
		return 2;
	}
	hosted_start(256);
	for (u64 i = 0; i < streams; i++, o.seed++)
		attempts += stream_run(&o);
	printf("model: %lu streams, %lu operations, no difference (%lu forks; tables: %lu copied, "
	       "%lu adopted; pages: %lu copied, %lu reused; "
	       "2 MiB pages: %lu, %lu split; %lu faults, %lu spurious; %lu shootdowns)\n",
	       streams, attempts, mm_counters_sum().forks, mm_counters_sum().tables_copied,
	       mm_counters_sum().tables_adopted, mm_counters_sum().pages_copied,
	       mm_counters_sum().pages_reused, mm_counters_sum().huge_faults,
	       mm_counters_sum().huge_splits,
	       mm_counters_sum().faults_minor + mm_counters_sum().faults_major,
	       mm_counters_sum().faults_spurious, mm_counters_sum().shootdowns);
	return 0;
}
