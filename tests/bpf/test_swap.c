/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One daemon follows another under live traffic: the program on the interface is replaced again and
 * again, and each packet that was sent is either carried or passed up to a socket.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <bpf/libbpf.h>
#include <cmocka.h>
#include <errno.h>
#include <linux/if_link.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/macros.h"
#include "kernel/flow_table.h"
#include "kernel_fixture.h"
#include "netns.h"

#define SWAPS	    150
#define SWAPS_LEAST 20
#define BUDGET_NS   (25 * NSEC_PER_SEC)
#define PACE_NS	    100000 /* 10 kpps */
#define PACKETS_MAX 1000000
#define CHANNEL	    0x4001
#define HOP	    1

static struct addr address(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* A client and a peer there, the daemon's socket here. */
struct traffic {
	int client, peer, daemon;
	uint32_t sent, carried, passed, strange;
	bool stop;
	uint8_t seen[PACKETS_MAX];
};

static struct traffic traffic;

static int udp_socket(const char *local)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), size = 1 << 22;
	struct addr a = address(local);
	struct sockaddr_storage sa;
	socklen_t len = addr_to_sockaddr(&a, &sa);

	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, len), 0);
	return fd;
}

static void take(struct traffic *t, int fd, size_t header, uint32_t *count)
{
	uint8_t bytes[64];
	uint32_t number;
	ssize_t n;

	while ((n = recv(fd, bytes, sizeof(bytes), 0)) >= 0) {
		if (n != (ssize_t)(header + sizeof(number))) {
			t->strange++;
			continue;
		}
		memcpy(&number, bytes + header, sizeof(number));
		if (number >= t->sent || t->seen[number]++)
			t->strange++;
		else
			++*count;
	}
}

static void take_all(struct traffic *t, uint64_t timeout_ns)
{
	struct pollfd fds[] = {{.fd = t->peer, .events = POLLIN},
			       {.fd = t->daemon, .events = POLLIN}};
	struct timespec timeout = {.tv_sec = (time_t)(timeout_ns / NSEC_PER_SEC),
				   .tv_nsec = (long)(timeout_ns % NSEC_PER_SEC)};

	ppoll(fds, ARRAY_SIZE(fds), &timeout, NULL);
	take(t, t->peer, 0, &t->carried);
	take(t, t->daemon, 4, &t->passed);
}

static void send_one(struct traffic *t)
{
	static const uint8_t header[4] = {CHANNEL >> 8, CHANNEL & 0xff, 0, sizeof(uint32_t)};
	uint8_t message[sizeof(header) + sizeof(uint32_t)];
	struct addr server = address("192.0.2.1:3478");
	struct sockaddr_storage sa;
	socklen_t len = addr_to_sockaddr(&server, &sa);

	memcpy(message, header, sizeof(header));
	memcpy(message + sizeof(header), &t->sent, sizeof(t->sent));
	t->sent++;
	if (sendto(t->client, message, sizeof(message), 0, (struct sockaddr *)&sa, len) < 0)
		t->sent--;
}

static void *run_traffic(void *ctx)
{
	struct traffic *t = ctx;
	uint64_t give_up_ns, due_ns = now_ns(), time_ns;

	while (!__atomic_load_n(&t->stop, __ATOMIC_ACQUIRE) && t->sent < PACKETS_MAX) {
		send_one(t);
		due_ns += PACE_NS;
		while ((time_ns = now_ns()) < due_ns)
			take_all(t, due_ns - time_ns);
	}
	give_up_ns = now_ns() + 3 * NSEC_PER_SEC;
	while (t->carried + t->passed < t->sent && now_ns() < give_up_ns)
		take_all(t, 10 * NSEC_PER_MSEC);
	return NULL;
}

/* One daemon's life: its kernel path, and the flow of the one channel that there is. */
struct life {
	struct kernel *kernel;
	struct flow_table *table;
};

static struct life begin_life(void)
{
	const struct net_hop hop = {.ifindex = if_nametoindex("tp-here"),
				    .mtu = 1500,
				    .src_mac = {2, 0, 0, 0, 0, 1},
				    .dst_mac = {2, 0, 0, 0, 0, 2},
				    .valid = true};
	const struct flow_spec spec = {
		.in = {address("192.0.2.2:1000"), address("192.0.2.1:3478"), CHANNEL},
		.out = {address("192.0.2.1:50000"), address("192.0.2.2:7000"), 0},
		.expires_ns = UINT64_MAX,
		.next_hop = HOP,
	};
	struct life life = {.kernel = fixture_open(KERNEL_MODE_NATIVE)};
	uint32_t slot;

	assert_int_equal(flow_table_new(life.kernel, 0, &life.table), 0);
	assert_int_equal(kernel_own(life.kernel, &spec.in.dst, 3478, 49152, 65535), 0);
	assert_int_equal(flow_table_add(life.table, &spec, now_ns(), &slot), 0);
	kernel_set_next_hop(life.kernel, HOP, &hop);
	return life;
}

static void end_life(struct life *life)
{
	flow_table_leave(&life->table);
	kernel_leave(&life->kernel);
}

static void prepare_hosts(struct traffic *t)
{
	_cleanup_close_ int pass = fixture_load_other_program();

	*t = (struct traffic){.daemon = udp_socket("192.0.2.1:3478")};
	netns_run("ip neigh add 192.0.2.2 lladdr 02:00:00:00:00:02 dev tp-here nud permanent");
	netns_run_there("ip neigh add 192.0.2.1 lladdr 02:00:00:00:00:01 dev tp-there "
			"nud permanent");
	netns_go_there();
	t->client = udp_socket("192.0.2.2:1000");
	t->peer = udp_socket("192.0.2.2:7000");
	/* What one end of a veth transmits by XDP arrives only at a program. */
	assert_int_equal(
		bpf_xdp_attach((int)if_nametoindex("tp-there"), pass, XDP_FLAGS_DRV_MODE, NULL), 0);
	netns_come_back();
}

static void replacing_the_program_under_traffic_loses_no_packet(void **state)
{
	struct traffic *t = &traffic;
	struct life now = {0};
	uint64_t end_ns;
	pthread_t thread;
	int swaps;

	prepare_hosts(t);
	now = begin_life();
	fixture_attach(now.kernel, "tp-here", KERNEL_MODE_NATIVE);
	assert_int_equal(pthread_create(&thread, NULL, run_traffic, t), 0);
	end_ns = now_ns() + BUDGET_NS;
	for (swaps = 0; swaps < SWAPS && (swaps < SWAPS_LEAST || now_ns() < end_ns); swaps++) {
		/* A successor has the pin folder only when the old daemon is gone. */
		end_life(&now);
		now = begin_life();
		fixture_attach(now.kernel, "tp-here", KERNEL_MODE_NATIVE);
	}
	__atomic_store_n(&t->stop, true, __ATOMIC_RELEASE);
	assert_int_equal(pthread_join(thread, NULL), 0);
	printf("%d replacements, %u packets sent, %u carried, %u passed up, %u lost\n", swaps,
	       t->sent, t->carried, t->passed, t->sent - t->carried - t->passed);
	*state = now.kernel;
	flow_table_free(&now.table);
	close(t->client);
	close(t->peer);
	close(t->daemon);
	assert_true(t->sent > 100);
	assert_int_equal(t->carried + t->passed, t->sent);
	assert_int_equal(t->strange, 0);
	/* The successor's flows and hops are there before its program: none is passed up. */
	assert_int_equal(t->passed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test_opening(replacing_the_program_under_traffic_loses_no_packet),
	};

	if (!fixture_may_run("test_swap"))
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
