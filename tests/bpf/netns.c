/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Network namespaces for tests. See netns.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "netns.h"

static int here = -1, there = -1;

bool netns_may_run(const char *name)
{
	if (unshare(CLONE_NEWNET) == 0)
		return true;
	printf("SKIP %s: needs root to make network namespaces: %s\n", name, strerror(errno));
	return false;
}

static void run(const char *format, va_list arguments)
{
	char command[1024];

	assert_true(vsnprintf(command, sizeof(command), format, arguments) < (int)sizeof(command));
	if (system(command) != 0)
		fail_msg("failed: %s", command);
}

void netns_run(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	run(format, arguments);
	va_end(arguments);
}

void netns_go_there(void)
{
	assert_int_equal(setns(there, CLONE_NEWNET), 0);
}

void netns_come_back(void)
{
	assert_int_equal(setns(here, CLONE_NEWNET), 0);
}

void netns_run_there(const char *format, ...)
{
	va_list arguments;

	netns_go_there();
	va_start(arguments, format);
	run(format, arguments);
	va_end(arguments);
	netns_come_back();
}

static int make_namespace(void)
{
	int fd;

	assert_int_equal(unshare(CLONE_NEWNET), 0);
	fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	/* Addresses are usable at once: nobody else is on these links. */
	netns_run("sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.all.accept_dad=0");
	return fd;
}

void netns_make_pair(void)
{
	cleanup_close(&here);
	cleanup_close(&there);
	there = make_namespace();
	here = make_namespace();
	netns_run("ip link set lo up && "
		  "ip link add name tp-here address 02:00:00:00:00:01 type veth "
		  "peer name tp-there address 02:00:00:00:00:02 netns /proc/%d/fd/%d",
		  (int)getpid(), there);
	netns_run("ip link set tp-here up && ip addr add 192.0.2.1/24 dev tp-here && "
		  "ip addr add 2001:db8::1/64 dev tp-here nodad");
	netns_run_there("ip link set lo up && ip link set tp-there up && "
			"ip addr add 192.0.2.2/24 dev tp-there && "
			"ip addr add 2001:db8::2/64 dev tp-there nodad");
}
