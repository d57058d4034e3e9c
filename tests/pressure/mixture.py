"""Work under pressure: reading files, starting programs and forking, while a neighbour (tests/pressure/fill) takes all memory there is.

    mixture.py FILL MIB TURNS

Every result is compared with the first. Prints what went wrong, and at the end how often it was all right.
"""

import os
import subprocess
import sys

PAGE = 4096


def forked_writes(pages):
    """Children change what they share with this process; nothing of it is seen here."""
    memory = bytearray(pages * PAGE)
    for at in range(0, len(memory), PAGE):
        memory[at] = at // PAGE % 251
    for child in range(3):
        if os.fork() == 0:
            for at in range(child * PAGE, len(memory), 2 * PAGE):
                memory[at] = 255
            os._exit(0)
    wrong = sum(os.wait()[1] != 0 for _ in range(3))
    return wrong + sum(memory[at] != at // PAGE % 251 for at in range(0, len(memory), PAGE))


def main():
    fill, mib, turns = sys.argv[1], sys.argv[2], int(sys.argv[3])
    neighbour = subprocess.Popen([fill, mib], stdout=subprocess.PIPE)
    listing, right = None, 0
    for turn in range(turns):
        found = subprocess.run(["ls", "-l", "/usr/bin"], stdout=subprocess.PIPE, check=True).stdout
        listing = listing or found
        wrong = forked_writes(1500)
        if found != listing or wrong:
            print(f"turn {turn}: {wrong} wrong pages or children, listing {'as before' if found == listing else 'changed'}")
        else:
            right += 1
    print(neighbour.communicate()[0].decode(), end="")
    print(f"{right} of {turns} turns were all right")
    sys.exit(neighbour.returncode or right != turns)


main()
