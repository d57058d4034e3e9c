/*
 * serial.c - COM1, a 16550, used only to bring a panic's text to somebody who started QEMU with a
 * serial port.
 */
#include "arch/x86_64/serial_priv.h"

#include "arch/x86_64/instr.h"

#define PORT 0x3f8
#define LINE_STATUS (PORT + 5)
#define TRANSMITTER_EMPTY 0x20
#define NO_PORT 0xff     /* what reads back where no device answers */
#define SPINS_MAX 100000 /* a port that is stuck must not stop a panic */

static void serial_put(char c)
{
	for (u32 i = 0; i < SPINS_MAX && !(inb(LINE_STATUS) & TRANSMITTER_EMPTY); i++)
		cpu_pause();
	outb(PORT, (u8)c);
}

void serial_write(const char *text, size_t n)
{
	if (inb(LINE_STATUS) == NO_PORT)
		return;
	for (size_t i = 0; i < n; i++) {
		if (text[i] == '\n')
			serial_put('\r');
		serial_put(text[i]);
	}
}
