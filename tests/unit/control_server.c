/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control socket's server as clients see it, well-behaved and other. Server and clients run
 * in one thread: the event loop is turned until a client's socket has what a test waits for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "control_fixture.h"

static void each_command_is_answered_on_one_line(void **state)
{
	struct fixture *f = *state;
	_cleanup_close_ int fd = dial(f);

	f->answer_len = 2;
	say(fd, "{\"command\": \"status\"}\n");
	expect_line(f, fd, "{\"ok\":true,\"result\":{\"calls\":1}}");
	assert_int_equal(f->last, CONTROL_STATUS);
	say(fd, "{\"command\": \"stats\"}\r\n");
	expect_line(f, fd, "{\"ok\":true,\"result\":{\"text\":\"xx\"}}");
	assert_int_equal(f->last, CONTROL_STATS);
	say(fd, "{\"command\": \"allocations\", \"more\": 1}\n");
	expect_line(f, fd, "{\"ok\":true,\"result\":{\"calls\":3}}");
	assert_int_equal(f->last, CONTROL_ALLOCATIONS);
}

static void a_handlers_error_reaches_the_client(void **state)
{
	struct fixture *f = *state;
	_cleanup_close_ int fd = dial(f);

	say(fd, "{\"command\": \"status\", \"refuse\": true}\n");
	expect_line(f, fd, "{\"ok\":false,\"error\":\"not today\"}");
}

static void malformed_and_unknown_requests_say_what_is_allowed(void **state)
{
	static const char *const no_request[] = {
		"\n",
		"hello\n",
		"[]\n",
		"{}\n",
		"{\"command\": 1}\n",
		"{\"command\": \"status\"\n",
		"{\"command\": \"status\", \"command\": \"stats\"}\n",
		"\"status\"\n",
		"\xff\n"};
	struct fixture *f = *state;
	_cleanup_close_ int fd = dial(f);

	for (size_t i = 0; i < ARRAY_SIZE(no_request); i++) {
		say(fd, no_request[i]);
		expect_line(f, fd,
			    "{\"ok\":false,\"error\":\"a request is one line with an object such "
			    "as {\\\"command\\\": \\\"status\\\"}; commands: status, stats, "
			    "allocations\"}");
	}
	say(fd, "{\"command\": \"stop\"}\n");
	expect_line(f, fd,
		    "{\"ok\":false,\"error\":\"there is no command \\\"stop\\\"; allowed: "
		    "status, stats, allocations\"}");
	assert_int_equal(f->calls, 0);
	say(fd, "{\"command\": \"status\"}\n");
	expect_line(f, fd, "{\"ok\":true,\"result\":{\"calls\":1}}");
}

static void a_long_command_is_answered_though_its_end_is_cut_inside_a_character(void **state)
{
	static const char *const characters[] = {"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
	struct fixture *f = *state;
	_cleanup_close_ int fd = dial(f);
	char request[256], expected[256], name[61] = "";

	for (size_t x = 56; x <= 60; x++) {
		memset(name, 'x', x);
		name[x] = '\0';
		for (size_t i = 0; i < ARRAY_SIZE(characters); i++) {
			bool fits = x + strlen(characters[i]) <= 60;

			snprintf(request, sizeof(request), "{\"command\": \"%s%syyyyy\"}\n", name,
				 characters[i]);
			say(fd, request);
			snprintf(expected, sizeof(expected),
				 "{\"ok\":false,\"error\":\"there is no command \\\"%s%s%.*s\\\"; "
				 "allowed: status, stats, allocations\"}",
				 name, fits ? characters[i] : "",
				 fits ? (int)(60 - x - strlen(characters[i])) : 0, "yyyyy");
			expect_line(f, fd, expected);
		}
	}
}

static void a_request_in_pieces_and_several_in_one_are_all_answered(void **state)
{
	static const char request[] = "{\"command\": \"status\"}\n";
	struct fixture *f = *state;
	_cleanup_close_ int fd = dial(f);

	for (size_t i = 0; i < sizeof(request) - 1; i++) {
		assert_int_equal(send(fd, request + i, 1, 0), 1);
		turn_loop(f);
	}
	expect_line(f, fd, "{\"ok\":true,\"result\":{\"calls\":1}}");
	say(fd, "{\"command\": \"status\"}\n{\"command\": \"status\"}\n{\"command\"");
	expect_line(f, fd, "{\"ok\":true,\"result\":{\"calls\":2}}");
	expect_line(f, fd, "{\"ok\":true,\"result\":{\"calls\":3}}");
	say(fd, ": \"status\"}\n");
	expect_line(f, fd, "{\"ok\":true,\"result\":{\"calls\":4}}");
}

static void the_end_of_the_stream_ends_the_last_request_too(void **state)
{
	struct fixture *f = *state;
	_cleanup_close_ int fd = dial(f);

	say(fd, "{\"command\": \"status\"}\n{\"command\": \"status\"}");
	shutdown(fd, SHUT_WR);
	expect_line(f, fd, "{\"ok\":true,\"result\":{\"calls\":1}}");
	expect_line(f, fd, "{\"ok\":true,\"result\":{\"calls\":2}}");
	expect_end(f, fd);
}

static void a_request_of_the_largest_size_is_read_and_a_longer_one_ends_the_connection(void **state)
{
	struct fixture *f = *state;
	_cleanup_close_ int fd = dial(f);
	char request[CONTROL_REQUEST_MAX + 1];
	static const char start[] = "{\"command\": \"status\"}";

	memset(request, ' ', sizeof(request));
	memcpy(request, start, sizeof(start) - 1);
	request[CONTROL_REQUEST_MAX - 1] = '\n';
	assert_int_equal(send(fd, request, CONTROL_REQUEST_MAX, 0), CONTROL_REQUEST_MAX);
	expect_line(f, fd, "{\"ok\":true,\"result\":{\"calls\":1}}");

	request[CONTROL_REQUEST_MAX - 1] = ' ';
	request[CONTROL_REQUEST_MAX] = '\n';
	assert_int_equal(send(fd, request, sizeof(request), 0), (ssize_t)sizeof(request));
	expect_line(f, fd,
		    "{\"ok\":false,\"error\":\"the request is too long; allowed: up to 4095 "
		    "bytes\"}");
	expect_end(f, fd);
	assert_int_equal(f->calls, 1);
}

/* Reads to the end of a line; returns how many bytes that were. */
static size_t skip_line(struct fixture *f, int fd)
{
	static char chunk[65536];

	for (size_t got = 0;;) {
		await(f, fd);
		ssize_t n = recv(fd, chunk, sizeof(chunk), MSG_PEEK);

		assert_true(n > 0);

		const char *end = memchr(chunk, '\n', (size_t)n);

		n = recv(fd, chunk, end ? (size_t)(end - chunk) + 1 : (size_t)n, 0);
		got += (size_t)n;
		if (end)
			return got;
	}
}

static void a_client_that_does_not_read_gets_no_second_answer_until_it_does(void **state)
{
	struct fixture *f = *state;
	_cleanup_close_ int fd = dial(f), other = dial(f);
	const unsigned int requests = 250; /* more bytes than a request may have */

	f->answer_len = 300000; /* more than the socket takes at once */
	for (unsigned int i = 0; i < requests; i++)
		say(fd, "{\"command\": \"stats\"}\n");
	for (int i = 0; i < 100; i++)
		turn_loop(f);
	assert_int_equal(f->calls, 1);
	/* And it is in nobody's way. */
	say(other, "{\"command\": \"status\"}\n");
	expect_line(f, other, "{\"ok\":true,\"result\":{\"calls\":2}}");
	for (unsigned int i = 0; i < requests; i++)
		skip_line(f, fd);
	assert_int_equal(f->calls, requests + 1);
}

static void large_answers_arrive_whole(void **state)
{
	struct fixture *f = *state;
	_cleanup_close_ int fd = dial(f);

	f->answer_len = 4 << 20;
	say(fd, "{\"command\": \"stats\"}\n");
	assert_int_equal(skip_line(f, fd),
			 f->answer_len + strlen("{\"ok\":true,\"result\":{\"text\":\"\"}}\n"));
	say(fd, "{\"command\": \"status\"}\n");
	expect_line(f, fd, "{\"ok\":true,\"result\":{\"calls\":2}}");
}

static void a_client_that_goes_away_with_its_answer_unread_harms_nobody(void **state)
{
	struct fixture *f = *state;
	int fd = dial(f);

	f->answer_len = 4 << 20;
	say(fd, "{\"command\": \"stats\"}\n");
	turn_loop(f);
	turn_loop(f);
	cleanup_close(&fd);
	for (int i = 0; i < 10; i++)
		turn_loop(f);

	_cleanup_close_ int other = dial(f);

	say(other, "{\"command\": \"status\"}\n");
	expect_line(f, other, "{\"ok\":true,\"result\":{\"calls\":2}}");
}

static void answers_that_nobody_reads_are_bounded_over_all_clients(void **state)
{
	struct fixture *f = *state;
	int fds[5];

	f->answer_len = 20 << 20;
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = dial(f);
		say(fds[i], "{\"command\": \"stats\"}\n");
		await(f, fds[i]);
	}
	/* Four times 20 MiB wait; the fifth request was refused. */
	assert_int_equal(f->calls, 4);
	expect_line(f, fds[4],
		    "{\"ok\":false,\"error\":\"too many answers wait to be read by other "
		    "clients; try again later\"}");
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		cleanup_close(&fds[i]);
}

static void idle_clients_are_disconnected_though_they_drip_bytes(void **state)
{
	struct fixture *f = *state;

	control_server_set_idle(f->server, 20);

	_cleanup_close_ int silent = dial(f), dripping = dial(f);
	struct pollfd p = {.fd = dripping, .events = POLLIN};

	for (int i = 0; i < PATIENCE_ROUNDS && poll(&p, 1, 1) == 0; i++) {
		(void)!send(dripping, " ", 1, MSG_NOSIGNAL);
		turn_loop(f);
	}
	expect_end(f, dripping);
	expect_end(f, silent);
}

static void a_client_that_never_reads_is_disconnected_in_the_end(void **state)
{
	struct fixture *f = *state;

	control_server_set_idle(f->server, 20);

	_cleanup_close_ int fd = dial(f);
	struct pollfd p = {.fd = fd, .events = POLLRDHUP};

	f->answer_len = 4 << 20;
	say(fd, "{\"command\": \"stats\"}\n");
	for (int i = 0; i < PATIENCE_ROUNDS && poll(&p, 1, 1) == 0; i++)
		turn_loop(f);
	assert_true(p.revents & (POLLRDHUP | POLLHUP));
}

static void one_connection_too_many_is_told_so_and_closed(void **state)
{
	struct fixture *f = *state;
	int fds[CONTROL_CONNECTIONS_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = dial(f);
		turn_loop(f);
	}

	_cleanup_close_ int more = dial(f);

	expect_line(f, more,
		    "{\"ok\":false,\"error\":\"too many connections; close one, or wait "
		    "until an idle one ends\"}");
	expect_end(f, more);
	cleanup_close(&fds[3]);
	turn_loop(f);

	_cleanup_close_ int again = dial(f);

	say(again, "{\"command\": \"status\"}\n");
	expect_line(f, again, "{\"ok\":true,\"result\":{\"calls\":1}}");
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		cleanup_close(&fds[i]);
}

/* Lines that were written to standard error since it was replaced by fd. */
static unsigned int count_lines(int fd)
{
	char text[4096];
	ssize_t len = pread(fd, text, sizeof(text), 0);
	unsigned int lines = 0;

	for (ssize_t i = 0; i < len; i++)
		lines += text[i] == '\n';
	return lines;
}

static void without_descriptors_it_says_so_once_and_serves_when_there_are_some(void **state)
{
	struct fixture *f = *state;
	_cleanup_close_ int fd = dial(f), log = memfd_create("tp-log", MFD_CLOEXEC);
	_cleanup_close_ int err = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	struct rlimit limit, none;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = (struct rlimit){(rlim_t)err + 1, limit.rlim_max};
	dup2(log, STDERR_FILENO);
	setrlimit(RLIMIT_NOFILE, &none);
	/* At once, and again when the pause is over. */
	event_base_loop(f->base, EVLOOP_ONCE);
	event_base_loop(f->base, EVLOOP_ONCE);
	event_base_loop(f->base, EVLOOP_ONCE);
	setrlimit(RLIMIT_NOFILE, &limit);
	dup2(err, STDERR_FILENO);
	assert_int_equal(count_lines(log), 1);
	say(fd, "{\"command\": \"status\"}\n");
	event_base_loop(f->base, EVLOOP_ONCE);
	event_base_loop(f->base, EVLOOP_ONCE);
	expect_line(f, fd, "{\"ok\":true,\"result\":{\"calls\":1}}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_command_is_answered_on_one_line),
		TEST(a_handlers_error_reaches_the_client),
		TEST(malformed_and_unknown_requests_say_what_is_allowed),
		TEST(a_long_command_is_answered_though_its_end_is_cut_inside_a_character),
		TEST(a_request_in_pieces_and_several_in_one_are_all_answered),
		TEST(the_end_of_the_stream_ends_the_last_request_too),
		TEST(a_request_of_the_largest_size_is_read_and_a_longer_one_ends_the_connection),
		TEST(a_client_that_does_not_read_gets_no_second_answer_until_it_does),
		TEST(large_answers_arrive_whole),
		TEST(a_client_that_goes_away_with_its_answer_unread_harms_nobody),
		TEST(answers_that_nobody_reads_are_bounded_over_all_clients),
		TEST(idle_clients_are_disconnected_though_they_drip_bytes),
		TEST(a_client_that_never_reads_is_disconnected_in_the_end),
		TEST(one_connection_too_many_is_told_so_and_closed),
		TEST(without_descriptors_it_says_so_once_and_serves_when_there_are_some),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
