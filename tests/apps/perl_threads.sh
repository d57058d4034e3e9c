#!/bin/sh
# perl with threads: interpreters that share variables, queues and locks.
perl -Mthreads -Mthreads::shared -MThread::Queue -e '
my $sum :shared = 0;
my $queue = Thread::Queue->new(1 .. 200);
$queue->end;
my @workers = map { threads->create(sub {
	while (defined(my $n = $queue->dequeue)) { lock $sum; $sum += $n; }
	return threads->tid;
}) } 1 .. 4;
print join(" ", map { $_->join } @workers), "\n$sum\n";
my ($turn, $limit) :shared = (0, 0);
$turn = 0;
my @pair = map { my $me = $_; threads->create(sub {
	for (1 .. 50) { lock $turn; cond_wait($turn) while $turn % 2 != $me; $turn++; cond_broadcast($turn); }
}) } 0, 1;
$_->join for @pair;
print "$turn\n";
'
