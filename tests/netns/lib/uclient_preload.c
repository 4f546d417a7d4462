/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Preloaded into coturn's unmodified turnutils_uclient and turnutils_peer by the tests and the
 * demonstration. It changes two things that are not the relay's:
 *
 * - turnutils_uclient draws channel numbers from 0x4000 to 0x7FFF, which RFC 5766 allowed. Since
 *   RFC 8656 12 only those up to 0x4FFF may be bound, and another one is answered 400. The draw
 *   is a long from RAND_bytes, modulo 0x4000: here its lower 14 bits become a running number
 *   below 0x1000, so that one allocation also never draws the same twice.
 * - Their receive buffers hold some 500 packets, which a busy machine's scheduler overruns. Loss
 *   is to be the relay's doing, so they get buffers of 4 MiB (root may).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <string.h>
#include <sys/socket.h>

#define RECEIVE_BUFFER_BYTES (4 << 20)

int RAND_bytes(unsigned char *bytes, int count)
{
	static unsigned long running;
	int (*real)(unsigned char *, int) = (int (*)(unsigned char *, int))dlsym(RTLD_NEXT,
										 "RAND_bytes");
	int result = real(bytes, count);

	if (count == (int)sizeof(long)) {
		unsigned long value;

		memcpy(&value, bytes, sizeof(value));
		value = (value & ~0x3fffUL) | (running++ & 0xfff);
		memcpy(bytes, &value, sizeof(value));
	}
	return result;
}

int setsockopt(int fd, int level, int option, const void *value, socklen_t size)
{
	static const int receive = RECEIVE_BUFFER_BYTES;
	int (*real)(int, int, int, const void *, socklen_t) = (int (*)(
		int, int, int, const void *, socklen_t))dlsym(RTLD_NEXT, "setsockopt");

	if (level == SOL_SOCKET && option == SO_RCVBUF &&
	    real(fd, SOL_SOCKET, SO_RCVBUFFORCE, &receive, sizeof(receive)) == 0)
		return 0;
	return real(fd, level, option, value, size);
}
