/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <poll.h>

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

static void dont_fragment_is_for_one_datagram_only(void **state)
{
	static uint8_t large[65507];
	struct addr any = loopback(ADDR_IPV4);
	_cleanup_close_ int a = udp_open(&any, false, 1 << 20);
	_cleanup_close_ int b = udp_open(&any, false, 1 << 20);
	struct addr to = local_name(b);
	int value;
	socklen_t len = sizeof(value);

	(void)state;
	/* Loopback's MTU is 65536, so this one just fits; the socket is as before afterwards. */
	assert_int_equal(udp_send_dont_fragment(a, &to, span_make(large, sizeof(large))), 0);
	assert_int_equal(getsockopt(a, IPPROTO_IP, IP_MTU_DISCOVER, &value, &len), 0);
	assert_int_equal(value, IP_PMTUDISC_OMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(datagrams_in_parts_arrive_whole_in_both_families),
		cmocka_unit_test(a_datagram_that_cannot_be_sent_does_not_stop_the_others),
		cmocka_unit_test(queued_heads_may_be_overwritten_before_the_flush),
		cmocka_unit_test(a_port_is_shared_only_if_all_its_sockets_say_so),
		cmocka_unit_test(dont_fragment_is_for_one_datagram_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
