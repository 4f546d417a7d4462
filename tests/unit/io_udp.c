/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/macros.h"
#include "io/udp.h"

static struct addr loopback(uint8_t family)
{
	struct addr a;

	assert_int_equal(addr_parse_ip(family == ADDR_IPV4 ? "127.0.0.1" : "::1", &a), 0);
	return a;
}

static struct addr local_name(int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct addr a;

	assert_int_equal(getsockname(fd, (struct sockaddr *)&ss, &len), 0);
	assert_int_equal(addr_from_sockaddr((struct sockaddr *)&ss, len, &a), 0);
	return a;
}

static struct udp_batch *batch_new(void)
{
	struct udp_batch *batch = malloc(sizeof(*batch));

	assert_non_null(batch);
	udp_batch_init(batch);
	return batch;
}

static void wait_readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	assert_int_equal(poll(&p, 1, 5000), 1);
}

static void datagrams_in_parts_arrive_whole_in_both_families(void **state)
{
	static const uint8_t families[] = {ADDR_IPV4, ADDR_IPV6};
	_cleanup_free_ struct udp_queue *queue = malloc(sizeof(*queue));
	_cleanup_free_ struct udp_batch *batch = batch_new();

	(void)state;
	assert_non_null(queue);
	udp_queue_init(queue);
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		struct addr any = loopback(families[i]);
		_cleanup_close_ int a = udp_open(&any, false, 1 << 20);
		_cleanup_close_ int b = udp_open(&any, false, 0);
		struct addr to;
		const struct span parts[] = {span_of("head"), span_of("body"), span_of("!")};
		const struct span empty[UDP_PARTS] = {0};

		assert_true(a >= 0 && b >= 0);
		to = local_name(b);
		udp_queue_send(queue, a, &to, parts);
		udp_queue_send(queue, a, &to, empty);
		udp_queue_flush(queue);
		wait_readable(b);
		assert_int_equal(udp_receive(b, batch), 2);
		assert_true(span_equal(batch->items[0].data, span_of("headbody!")));
		assert_int_equal(batch->items[1].data.len, 0);

		struct addr from = local_name(a);

		assert_true(addr_equal(&batch->items[0].from, &from));
		assert_int_equal(udp_receive(b, batch), 0);
	}
	assert_int_equal(queue->sent, 4);
	assert_int_equal(queue->dropped, 0);
}

static void a_datagram_that_cannot_be_sent_does_not_stop_the_others(void **state)
{
	_cleanup_free_ struct udp_queue *queue = malloc(sizeof(*queue));
	_cleanup_free_ struct udp_batch *batch = batch_new();
	_cleanup_free_ char *huge = calloc(1, 70000);
	struct addr any = loopback(ADDR_IPV4);
	_cleanup_close_ int a = udp_open(&any, false, 0);
	_cleanup_close_ int b = udp_open(&any, false, 0);
	struct addr to = local_name(b);
	const struct span good[UDP_PARTS] = {span_of("ok")};
	const struct span bad[UDP_PARTS] = {{0}, span_make(huge, 70000)};

	(void)state;
	assert_non_null(queue);
	udp_queue_init(queue);
	udp_queue_send(queue, a, &to, good);
	udp_queue_send(queue, a, &to, bad);
	udp_queue_send(queue, a, &to, good);
	udp_queue_flush(queue);
	assert_int_equal(queue->sent, 2);
	assert_int_equal(queue->dropped, 1);
	wait_readable(b);
	assert_int_equal(udp_receive(b, batch), 2);
}

static void queued_heads_may_be_overwritten_before_the_flush(void **state)
{
	_cleanup_free_ struct udp_queue *queue = malloc(sizeof(*queue));
	_cleanup_free_ struct udp_batch *batch = batch_new();
	struct addr any = loopback(ADDR_IPV4);
	_cleanup_close_ int a = udp_open(&any, false, 0);
	_cleanup_close_ int b = udp_open(&any, false, 0);
	struct addr to = local_name(b);
	char head[] = "one";
	const struct span parts[UDP_PARTS] = {span_make(head, 3)};

	(void)state;
	assert_non_null(queue);
	udp_queue_init(queue);
	for (int i = 0; i < UDP_BATCH + 1; i++)
		udp_queue_send(queue, a, &to, parts);
	memcpy(head, "two", 3);
	udp_queue_flush(queue);
	wait_readable(b);
	assert_int_equal(udp_receive(b, batch), UDP_BATCH);
	assert_true(span_equal(batch->items[0].data, span_of("one")));
	assert_int_equal(udp_receive(b, batch), 1);
	assert_true(span_equal(batch->items[0].data, span_of("one")));
}

static void a_port_is_shared_only_if_all_its_sockets_say_so(void **state)
{
	struct addr any = loopback(ADDR_IPV4);
	_cleanup_close_ int first = udp_open(&any, true, 0);
	struct addr same = local_name(first);
	_cleanup_close_ int second = udp_open(&same, true, 0);

	(void)state;
	assert_true(second >= 0);
	assert_int_equal(udp_open(&same, false, 0), -EADDRINUSE);
}

/*
 * A loopback of our own with the MTU of an Ethernet. Root may make one, and others in a user
 * namespace of their own where the system lets them; without it the tests that need it skip.
 */
static bool have_small_loopback;

static int make_small_loopback(void **state)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_mtu = 1500};
	int fd;

	(void)state;
	if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return 0;
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFMTU, &request) < 0)
		return -1;
	request.ifr_flags = IFF_UP | IFF_RUNNING;
	if (ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		return -1;
	close(fd);
	have_small_loopback = true;
	return 0;
}

static void need_small_loopback(void)
{
	if (have_small_loopback)
		return;
	print_message("SKIP no network namespace can be made here\n");
	skip();
}

static int open_reporting(uint8_t family)
{
	struct addr any = loopback(family);
	int fd = udp_open(&any, false, 1 << 20);

	assert_true(fd >= 0);
	assert_int_equal(udp_report_errors(fd, family), 0);
	return fd;
}

static void send_one(int fd, const struct addr *to, struct span data)
{
	_cleanup_free_ struct udp_queue *queue = malloc(sizeof(*queue));
	const struct span parts[UDP_PARTS] = {{0}, data};

	assert_non_null(queue);
	udp_queue_init(queue);
	udp_queue_send(queue, fd, to, parts);
	udp_queue_flush(queue);
	assert_int_equal(queue->sent, 1);
}

static void dont_fragment_is_for_one_datagram_only(void **state)
{
	static uint8_t large[8000];
	static const uint8_t families[] = {ADDR_IPV4, ADDR_IPV6};

	(void)state;
	need_small_loopback();
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		_cleanup_close_ int a = open_reporting(families[i]);
		_cleanup_close_ int b = open_reporting(families[i]);
		_cleanup_free_ struct udp_batch *batch = batch_new();
		struct addr to = local_name(b);
		size_t fits = families[i] == ADDR_IPV4 ? 1472 : 1452;

		assert_int_equal(udp_send_dont_fragment(a, &to, span_make(large, fits)), 0);
		assert_int_equal(udp_send_dont_fragment(a, &to, span_make(large, fits + 1)),
				 -EMSGSIZE);
		/* The next one is fragmented as ever, and arrives whole. */
		send_one(a, &to, span_make(large, sizeof(large)));
		wait_readable(b);
		assert_int_equal(udp_receive(b, batch), 2);
		assert_int_equal(batch->items[0].data.len, fits);
		assert_int_equal(batch->items[1].data.len, sizeof(large));
	}
}

static void a_datagram_too_large_for_this_host_is_an_error_with_its_mtu(void **state)
{
	static uint8_t large[8000];
	static const struct {
		uint8_t family, type, code;
	} rows[] = {{ADDR_IPV4, 3, 4}, {ADDR_IPV6, 2, 0}};

	(void)state;
	need_small_loopback();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_close_ int a = open_reporting(rows[i].family);
		struct addr to = loopback(rows[i].family);
		struct udp_errors errors;

		to.port = 9;
		assert_int_equal(udp_send_dont_fragment(a, &to, span_make(large, 1500)), -EMSGSIZE);
		assert_int_equal(udp_receive_errors(a, &errors), 1);
		assert_int_equal(errors.count, 1);
		assert_true(errors.items[0].local);
		assert_true(addr_same_ip(&errors.items[0].to, &to));
		assert_int_equal(errors.items[0].type, rows[i].type);
		assert_int_equal(errors.items[0].code, rows[i].code);
		assert_int_equal(errors.items[0].mtu, 1500);
		assert_int_equal(udp_receive_errors(a, &errors), 0);
	}
}

static void a_port_that_nobody_has_is_an_error_about_its_address(void **state)
{
	static const struct {
		uint8_t family, type, code;
	} rows[] = {{ADDR_IPV4, 3, 3}, {ADDR_IPV6, 1, 4}};

	(void)state;
	need_small_loopback();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_close_ int a = open_reporting(rows[i].family);
		_cleanup_free_ struct udp_batch *batch = batch_new();
		struct addr to = loopback(rows[i].family);
		struct udp_errors errors;

		to.port = 9;
		send_one(a, &to, span_of("anybody there?"));
		wait_readable(a);
		/* Reading data says so, once; what it is about is in the queue. */
		assert_int_equal(udp_receive(a, batch), -ECONNREFUSED);
		assert_int_equal(udp_receive(a, batch), 0);
		assert_int_equal(udp_receive_errors(a, &errors), 1);
		assert_int_equal(errors.count, 1);
		assert_false(errors.items[0].local);
		assert_true(addr_equal(&errors.items[0].to, &to));
		assert_int_equal(errors.items[0].type, rows[i].type);
		assert_int_equal(errors.items[0].code, rows[i].code);
		assert_int_equal(errors.items[0].mtu, 0);
	}
}

static void an_earlier_error_costs_no_datagram(void **state)
{
	struct addr nobody = loopback(ADDR_IPV4);

	(void)state;
	need_small_loopback();
	_cleanup_close_ int a = open_reporting(ADDR_IPV4);
	_cleanup_close_ int b = open_reporting(ADDR_IPV4);
	_cleanup_free_ struct udp_batch *batch = batch_new();
	struct addr to = local_name(b);

	nobody.port = 9;
	send_one(a, &nobody, span_of("x"));
	wait_readable(a);
	send_one(a, &to, span_of("queued"));
	send_one(a, &nobody, span_of("x"));
	wait_readable(a);
	assert_int_equal(udp_send_dont_fragment(a, &to, span_of("at once")), 0);
	wait_readable(b);
	assert_int_equal(udp_receive(b, batch), 2);
}

static void errors_are_read_in_batches_until_there_are_none(void **state)
{
	struct addr nobody = loopback(ADDR_IPV4);
	struct pollfd p = {.events = POLLIN};
	size_t all = 0;

	(void)state;
	need_small_loopback();
	_cleanup_close_ int a = open_reporting(ADDR_IPV4);
	struct udp_errors errors;

	p.fd = a;
	nobody.port = 9;
	/* Loopback answers at once; the kernel answers some at a time and then one per second. */
	for (int i = 0; i < 4 * UDP_ERRORS; i++)
		udp_send_dont_fragment(a, &nobody, span_make(&errors, 1473));
	for (;;) {
		int received = udp_receive_errors(a, &errors);

		assert_in_range(received, 0, UDP_ERRORS);
		assert_int_equal(errors.count, received);
		if (received == 0)
			break;
		all += errors.count;
	}
	assert_int_equal(all, 4 * UDP_ERRORS);
	assert_int_equal(poll(&p, 1, 0), 0);
}

/* As a router would answer a datagram from one of our sockets to another address. */
static void forge_icmp(const struct addr *from, const struct addr *to, uint8_t type, uint8_t code,
		       uint16_t mtu)
{
	struct {
		struct icmphdr icmp;
		struct iphdr ip;
		struct udphdr udp;
	} packet = {
		.icmp = {.type = type, .code = code, .un.frag.mtu = htons(mtu)},
		.ip = {.version = 4, .ihl = 5, .tot_len = htons(1500), .protocol = IPPROTO_UDP},
		.udp = {.source = htons(from->port), .dest = htons(to->port), .len = htons(1480)},
	};
	_cleanup_close_ int raw = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
	struct sockaddr_storage name;
	socklen_t name_len = addr_to_sockaddr(from, &name);
	uint32_t sum = 0;
	uint16_t words[sizeof(packet) / 2];

	assert_true(raw >= 0);
	memcpy(&packet.ip.saddr, from->ip, 4);
	memcpy(&packet.ip.daddr, to->ip, 4);
	memcpy(words, &packet, sizeof(packet));
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		sum += words[i];
	sum = (sum & 0xffff) + (sum >> 16);
	packet.icmp.checksum = (uint16_t) ~((sum & 0xffff) + (sum >> 16));
	assert_int_equal(
		sendto(raw, &packet, sizeof(packet), 0, (struct sockaddr *)&name, name_len),
		sizeof(packet));
}

/* What DONT-FRAGMENT and the kernel path can cause on the way, although the socket itself sends
 * without DF; and that a forged one does not make the socket cut datagrams small. */
static void errors_of_routers_are_read_and_a_reported_mtu_is_not_believed(void **state)
{
	static const struct {
		uint8_t type, code;
		uint16_t mtu;
	} rows[] = {{3, 4, 600}, {11, 0, 0}, {3, 1, 0}};
	static uint8_t large[1400];

	(void)state;
	need_small_loopback();
	_cleanup_close_ int a = open_reporting(ADDR_IPV4);
	_cleanup_close_ int b = open_reporting(ADDR_IPV4);
	struct addr from = local_name(a), to = local_name(b);
	struct udp_errors errors;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		forge_icmp(&from, &to, rows[i].type, rows[i].code, rows[i].mtu);
		wait_readable(a);
		assert_int_equal(udp_receive_errors(a, &errors), 1);
		assert_int_equal(errors.count, 1);
		assert_true(addr_equal(&errors.items[0].to, &to));
		assert_false(errors.items[0].local);
		assert_int_equal(errors.items[0].type, rows[i].type);
		assert_int_equal(errors.items[0].code, rows[i].code);
		assert_int_equal(errors.items[0].mtu, rows[i].mtu);
	}
	assert_int_equal(udp_send_dont_fragment(a, &to, span_make(large, sizeof(large))), 0);
}

static void a_socket_that_did_not_ask_hears_of_no_errors(void **state)
{
	struct addr any = loopback(ADDR_IPV4), nobody = any;
	struct pollfd p = {.events = POLLIN};

	(void)state;
	need_small_loopback();
	_cleanup_close_ int a = udp_open(&any, false, 0);
	struct udp_errors errors;

	p.fd = a;
	nobody.port = 9;
	send_one(a, &nobody, span_of("x"));
	assert_int_equal(poll(&p, 1, 0), 0);
	assert_int_equal(udp_receive_errors(a, &errors), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(datagrams_in_parts_arrive_whole_in_both_families),
		cmocka_unit_test(a_datagram_that_cannot_be_sent_does_not_stop_the_others),
		cmocka_unit_test(queued_heads_may_be_overwritten_before_the_flush),
		cmocka_unit_test(a_port_is_shared_only_if_all_its_sockets_say_so),
		cmocka_unit_test(dont_fragment_is_for_one_datagram_only),
		cmocka_unit_test(a_datagram_too_large_for_this_host_is_an_error_with_its_mtu),
		cmocka_unit_test(a_port_that_nobody_has_is_an_error_about_its_address),
		cmocka_unit_test(an_earlier_error_costs_no_datagram),
		cmocka_unit_test(errors_are_read_in_batches_until_there_are_none),
		cmocka_unit_test(errors_of_routers_are_read_and_a_reported_mtu_is_not_believed),
		cmocka_unit_test(a_socket_that_did_not_ask_hears_of_no_errors),
	};

	return cmocka_run_group_tests(tests, make_small_loopback, NULL);
}
