/* target.c - the smallest static program, for benchmarks of exec: ends at once; with an argument, when its standard input does. */
#include <unistd.h>

int main(int argc, char **argv)
{
	char c;

	return argc > 1 && read(0, &c, 1) != 0;
}
