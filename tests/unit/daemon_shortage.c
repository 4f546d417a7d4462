/* SPDX-License-Identifier: BSD-2-Clause */
/* What operators read when ports or allocations run out, and how often. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/macros.h"
#include "daemon/shortage.h"

struct reader {
	struct shortage shortage;
	struct turn_counters counters;
	uint64_t now_ns;
	char text[4096];
};

static struct reader reader_make(void)
{
	struct reader r = {.now_ns = 1000 * NSEC_PER_SEC};

	shortage_init(&r.shortage, 50000, 50003, 7);
	return r;
}

/* What one report writes to stderr. */
static const char *report(struct reader *r)
{
	int file = memfd_create("log", MFD_CLOEXEC), before = dup(STDERR_FILENO);
	ssize_t len;

	assert_true(file >= 0 && before >= 0);
	assert_true(dup2(file, STDERR_FILENO) >= 0);
	shortage_report(&r->shortage, &r->counters, r->now_ns);
	assert_true(dup2(before, STDERR_FILENO) >= 0);
	len = pread(file, r->text, sizeof(r->text) - 1, 0);
	assert_true(len >= 0);
	r->text[len] = '\0';
	close(before);
	close(file);
	return r->text;
}

static void each_shortage_is_named_with_its_remedy(void **state)
{
	static const struct {
		size_t counter;
		const char *line;
	} rows[] = {
		{offsetof(struct turn_counters, refused_ports_ipv4),
		 "relay: no free port family=ipv4 ports=50000-50003 refused=2 "
		 "remedy=\"widen relay.ports or add relay.addresses\"\n"},
		{offsetof(struct turn_counters, refused_ports_ipv6),
		 "relay: no free port family=ipv6 ports=50000-50003 refused=2 "
		 "remedy=\"widen relay.ports or add relay.addresses\"\n"},
		{offsetof(struct turn_counters, refused_allocations),
		 "relay: no more allocations limits.allocations=7 refused=2 "
		 "remedy=\"raise limits.allocations\"\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct reader r = reader_make();
		const uint64_t two = 2;

		memcpy((char *)&r.counters + rows[i].counter, &two, sizeof(two));
		const char *text = report(&r);
		const char *line = strstr(text, "relay:");

		assert_non_null(line);
		assert_string_equal(line, rows[i].line);
	}
}

static void without_a_shortage_nothing_is_said(void **state)
{
	struct reader r = reader_make();

	(void)state;
	r.counters.error_508 = 5;
	r.counters.refused_token = 5;
	assert_string_equal(report(&r), "");
}

static void a_shortage_that_lasts_is_told_once_a_minute_with_how_many_were_refused(void **state)
{
	struct reader r = reader_make();

	(void)state;
	r.counters.refused_ports_ipv4 = 1;
	assert_non_null(strstr(report(&r), "refused=1 "));
	for (int i = 0; i < 59; i++) {
		r.now_ns += NSEC_PER_SEC;
		r.counters.refused_ports_ipv4 += 10;
		assert_string_equal(report(&r), "");
	}
	r.now_ns += NSEC_PER_SEC;
	assert_non_null(strstr(report(&r), "refused=590 "));
	/* Over: no more lines. */
	r.now_ns += 3600 * NSEC_PER_SEC;
	assert_string_equal(report(&r), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_shortage_is_named_with_its_remedy),
		cmocka_unit_test(without_a_shortage_nothing_is_said),
		cmocka_unit_test(
			a_shortage_that_lasts_is_told_once_a_minute_with_how_many_were_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
