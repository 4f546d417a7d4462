/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * That links or addresses changed, for those who ask the kernel themselves how. Keeps nothing.
 */
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "net/net.h"

/* Of one call; the descriptor stays readable for the rest. */
#define READS_PER_CALL 1024

static int watch(uint32_t groups, int *ret_fd)
{
	struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = groups};
	_cleanup_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
					NETLINK_ROUTE);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int net_watch_links(int *ret_fd)
{
	return watch(RTMGRP_LINK, ret_fd);
}

int net_watch_addresses(int *ret_fd)
{
	return watch(RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR, ret_fd);
}

static bool read_all(int fd)
{
	bool changed = false;
	char byte;

	/* What is said is not looked at, so that losing some of it (ENOBUFS) is no loss. */
	for (int i = 0; i < READS_PER_CALL; i++) {
		struct sockaddr_nl from = {0};
		socklen_t len = sizeof(from);

		if (recvfrom(fd, &byte, sizeof(byte), 0, (struct sockaddr *)&from, &len) < 0) {
			if (errno == ENOBUFS)
				changed = true;
			else if (errno != EINTR)
				break;
		} else if (from.nl_pid == 0) {
			changed = true;
		}
	}
	return changed;
}

bool net_links_changed(int fd)
{
	return read_all(fd);
}

bool net_addresses_changed(int fd)
{
	return read_all(fd);
}
