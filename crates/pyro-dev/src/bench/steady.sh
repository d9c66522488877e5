# What the steady state is measured with: programs from the environment debian:12-build, each timed by
# itself, after all they work on was made. Prints a line "NAME MICROSECONDS" for each.
set -eu
mkdir -p /root/steady && cd /root/steady
# What the programs work on; not measured.
mkdir -p sources
for number in 1 2 3; do
  {
    echo '#include <stdio.h>'; echo '#include <stdlib.h>'; echo '#include <string.h>'
    line=0
    while [ $line -lt 5 ]; do
      echo "int f${number}_$line(int a, char *text) { int sum = a; for (int i = 0; i < 10; i++) { sum += i * a + (int)strlen(text); if (sum % 7 == $line % 7) sum ^= i; } return sum; }"
      line=$((line + 1))
    done
  } > sources/f$number.c
done
python3 -c '
import sys
out = sys.stdout
for number in range(1, 1001):
    text = "".join("line %d of %d\n" % (line, number) for line in range(40))
    message = "change %d" % number
    out.write("commit refs/heads/main\nmark :%d\ncommitter A <a@example.org> %d +0000\n" % (number, 1700000000 + number))
    out.write("data %d\n%s\n" % (len(message), message))
    out.write("M 644 inline d%d/f%d\ndata %d\n%s\n" % (number % 20, number % 200, len(text), text))
' > history
git init -q -b main repository && git -C repository fast-import --quiet < history
measure() {
  name=$1; shift
  begun=$(date +%s%N)
  "$@" > /dev/null
  ended=$(date +%s%N)
  echo "$name $(( (ended - begun) / 1000 ))"
}
loop() { i=0; while [ $i -lt 50000 ]; do i=$((i + 1)); done; }
compute() { python3 -c '
total = 0
for number in range(500000):
    total += number * number % 7
'; }
digest() { head -c 50000000 /dev/zero | sha256sum; }
compile() { for source in sources/*.c; do gcc -O2 -c -o ${source%.c}.o $source; done; }
clone() { git clone -q file:///root/steady/repository clone; }
look() { find / -xdev; }
pack() { tar -C /usr/lib/python3.11 -cf - . | cat; }
processes() { i=0; while [ $i -lt 100 ]; do /bin/true; i=$((i + 1)); done; }
write() { python3 -c '
import os
for number in range(5000):
    if number % 100 == 0: os.makedirs("files/%d" % (number // 100))
    with open("files/%d/%d" % (number // 100, number), "w") as file: file.write("x" * 1000)
'; }
for what in loop compute digest compile clone look pack processes write; do measure $what $what; done
