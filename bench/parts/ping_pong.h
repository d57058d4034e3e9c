/* ping_pong.h - a byte to another process and back. */
#ifndef BENCH_PING_PONG_H
#define BENCH_PING_PONG_H

/* The byte goes to a child by `there` and comes back by `back`; the child uses the other ends. The result is what a round trip took. */
void ping_pong(int there, int back, int child_in, int child_out);

#endif
