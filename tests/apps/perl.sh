#!/bin/sh
# perl: fork, wait, pipes, open to and from programs.
exec perl - <<'SCRIPT'
use strict;
$| = 1;
my $pid = fork // die;
exit 5 if !$pid;
waitpid $pid, 0;
print "child ", $? >> 8, "\n";

pipe my $r, my $w;
if (!($pid = fork)) { close $r; print $w "line $_\n" for 1 .. 1000; exit 0 }
close $w;
my $n = 0;
my $last;
while (<$r>) { $n++; $last = $_ }
waitpid $pid, 0;
print "$n lines, the last: $last";

my @hash = map { $_ * 2 } 1 .. 50000;
if (!($pid = fork)) { $hash[$_] = 0 for 0 .. 999; exit($hash[500] == 0 ? 0 : 1) }
waitpid $pid, 0;
print "child changed its own: $?, parent kept: $hash[500]\n";

open my $in, '-|', 'seq', 1, 5 or die;
print "read: ", join(',', map { chomp; $_ } <$in>), "\n";
close $in;
open my $out, '|-', 'sort -n' or die;
print $out "$_\n" for 3, 1, 2;
close $out;
print "output: ", `echo from a shell`;
system 'exit 3';
print "system ", $? >> 8, "\n";
system 'kill -TERM $$';
print "signal ", $? & 127, "\n";
$SIG{USR1} = sub { print "caught USR1\n" };
kill USR1 => $$;
$SIG{CHLD} = sub { };
my @kids;
for my $i (1 .. 8) { my $p = fork; if (!$p) { select undef, undef, undef, 0.01 * (9 - $i); exit $i } push @kids, $p }
my $sum = 0;
for (@kids) { waitpid $_, 0; $sum += $? >> 8 }
print "sum $sum\n";
print "in order: ", (sprintf '%vd', '1.22.333'), "\n";
eval { local $SIG{ALRM} = sub { die "alarm\n" }; alarm 1; select undef, undef, undef, 5; };
print "ended by $@";
exec 'sh', '-c', 'echo replaced; exit 6';
SCRIPT
