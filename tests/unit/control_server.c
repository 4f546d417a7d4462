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
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "base/macros.h"
#include "control/server.h"

#define PATIENCE_ROUNDS 10000 /* of up to a millisecond */

struct fixture {
	struct event_base *base;
	struct control_server *server;
	char folder[64], path[96];
	unsigned int calls;
	enum control_command last;
	size_t answer_len; /* of the string that stats answers with */
};

static json_t *handle(void *ctx, enum control_command command, const json_t *request,
		      const char **ret_error)
{
	struct fixture *f = ctx;

	f->calls++;
	f->last = command;
	if (json_object_get(request, "refuse")) {
		*ret_error = "not today";
		return NULL;
	}
	if (command == CONTROL_STATS) {
		_cleanup_free_ char *text = malloc(f->answer_len + 1);

		memset(text, 'x', f->answer_len);
		text[f->answer_len] = '\0';
		return json_pack("{s:s}", "text", text);
	}
	return json_pack("{s:i}", "calls", f->calls);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	snprintf(f->folder, sizeof(f->folder), "/tmp/tp-control-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	snprintf(f->path, sizeof(f->path), "%s/run/s", f->folder);
	f->base = event_base_new();
	assert_int_equal(control_server_open(f->base, f->path, handle, f, &f->server), 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	char run[96];

	control_server_close(&f->server);
	event_base_free(f->base);
	unlink(f->path);
	snprintf(run, sizeof(run), "%s/run", f->folder);
	rmdir(run);
	assert_int_equal(rmdir(f->folder), 0);
	free(f);
	return 0;
}

static void make_run_folder(const struct fixture *f)
{
	char run[96];

	snprintf(run, sizeof(run), "%s/run", f->folder);
	assert_int_equal(mkdir(run, 0755), 0);
}

static struct sockaddr_un sun_of(const char *path)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	return sun;
}

static int dial(const struct fixture *f)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un sun = sun_of(f->path);

	assert_int_equal(connect(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	return fd;
}

static void turn_loop(struct fixture *f)
{
	event_base_loop(f->base, EVLOOP_NONBLOCK);
}

/* Turns the loop until fd can be read. */
static void await(struct fixture *f, int fd)
{
	for (int i = 0; i < PATIENCE_ROUNDS; i++) {
		struct pollfd p = {.fd = fd, .events = POLLIN};

		turn_loop(f);
		if (poll(&p, 1, 1) > 0)
			return;
	}
	fail_msg("nothing came");
}

/* The next whole line, without its end; "" at the connection's end. */
static const char *read_line(struct fixture *f, int fd, char *ret, size_t size)
{
	size_t len = 0;

	while (len + 1 < size) {
		await(f, fd);
		ssize_t n = recv(fd, ret + len, 1, 0);

		if (n <= 0 || ret[len] == '\n')
			break;
		len++;
	}
	ret[len] = '\0';
	return ret;
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static void expect_line(struct fixture *f, int fd, const char *expected)
{
	char line[1024];

	assert_string_equal(read_line(f, fd, line, sizeof(line)), expected);
}

static void expect_end(struct fixture *f, int fd)
{
	char byte;

	await(f, fd);
	assert_true(recv(fd, &byte, 1, 0) <= 0);
}

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

static void socket_and_folder_have_their_modes_whatever_the_umask(void **state)
{
	static const mode_t masks[] = {0, 077, 0777};
	struct fixture *f = *state;
	struct stat st;
	char folder[96];

	snprintf(folder, sizeof(folder), "%s/run", f->folder);
	for (size_t i = 0; i < ARRAY_SIZE(masks); i++) {
		control_server_close(&f->server);
		assert_int_equal(stat(folder, &st), -1);

		mode_t old = umask(masks[i]);
		int err = control_server_open(f->base, f->path, handle, f, &f->server);

		umask(old);
		assert_int_equal(err, 0);
		assert_int_equal(stat(f->path, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0660);
		assert_int_equal(stat(folder, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0755);
	}
}

static void a_living_daemon_is_not_replaced(void **state)
{
	struct fixture *f = *state;
	struct control_server *second = NULL;
	_cleanup_close_ int fd = -1;

	assert_int_equal(control_server_open(f->base, f->path, handle, f, &second), -EADDRINUSE);
	assert_null(second);
	fd = dial(f);
	say(fd, "{\"command\": \"status\"}\n");
	expect_line(f, fd, "{\"ok\":true,\"result\":{\"calls\":1}}");
}

static void a_dead_daemons_socket_is_replaced(void **state)
{
	struct fixture *f = *state;
	_cleanup_close_ int dead = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un sun = sun_of(f->path);
	_cleanup_close_ int fd = -1;

	control_server_close(&f->server);
	make_run_folder(f);
	assert_int_equal(bind(dead, (struct sockaddr *)&sun, sizeof(sun)), 0);
	cleanup_close(&dead);
	assert_int_equal(control_server_open(f->base, f->path, handle, f, &f->server), 0);
	fd = dial(f);
	say(fd, "{\"command\": \"status\"}\n");
	expect_line(f, fd, "{\"ok\":true,\"result\":{\"calls\":1}}");
}

static void a_file_that_is_no_socket_is_left_alone(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	control_server_close(&f->server);
	make_run_folder(f);
	fclose(fopen(f->path, "we"));
	assert_int_equal(control_server_open(f->base, f->path, handle, f, &f->server), -EEXIST);
	assert_null(f->server);
	assert_int_equal(stat(f->path, &st), 0);
	assert_true(S_ISREG(st.st_mode));
}

static void closing_ends_connections_and_removes_only_its_own_file(void **state)
{
	struct fixture *f = *state;
	_cleanup_close_ int fd = dial(f);
	struct stat st;

	turn_loop(f);
	control_server_close(&f->server);
	expect_end(f, fd);
	assert_int_equal(stat(f->path, &st), -1);

	assert_int_equal(control_server_open(f->base, f->path, handle, f, &f->server), 0);
	unlink(f->path);
	fclose(fopen(f->path, "we"));
	control_server_close(&f->server);
	assert_int_equal(stat(f->path, &st), 0);
}

static void only_a_folder_that_the_server_made_and_nobody_uses_is_removed(void **state)
{
	struct fixture *f = *state;
	struct stat st;
	char run[96], other[112];

	snprintf(run, sizeof(run), "%s/run", f->folder);
	snprintf(other, sizeof(other), "%s/run/other", f->folder);
	fclose(fopen(other, "we"));
	control_server_close(&f->server);
	assert_int_equal(stat(f->path, &st), -1);
	assert_int_equal(stat(other, &st), 0);
	unlink(other);

	/* It is there already, so it is somebody else's now. */
	assert_int_equal(control_server_open(f->base, f->path, handle, f, &f->server), 0);
	control_server_close(&f->server);
	assert_int_equal(stat(run, &st), 0);
	assert_int_equal(rmdir(run), 0);

	assert_int_equal(control_server_open(f->base, f->path, handle, f, &f->server), 0);
	control_server_close(&f->server);
	assert_int_equal(stat(run, &st), -1);
}

static void a_folder_made_for_a_socket_that_cannot_be_is_not_left(void **state)
{
	struct fixture *f = *state;
	struct control_server *server = NULL;
	struct stat st;
	char folder[96], path[256];

	snprintf(folder, sizeof(folder), "%s/new", f->folder);
	snprintf(path, sizeof(path), "%s/%0120d", folder, 0);
	assert_int_equal(control_server_open(f->base, path, handle, f, &server), -ENAMETOOLONG);
	assert_int_equal(stat(folder, &st), -1);
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

static void paths_that_cannot_hold_a_socket_are_errors(void **state)
{
	struct fixture *f = *state;
	struct control_server *server = NULL;
	char path[200];

	memset(path, 'x', sizeof(path));
	memcpy(path, "/tmp/tp-", 8);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(control_server_open(f->base, path, handle, f, &server), -ENAMETOOLONG);
	assert_int_equal(control_server_open(f->base, "/nonexistent/a/b", handle, f, &server),
			 -ENOENT);
	assert_null(server);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

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
		TEST(socket_and_folder_have_their_modes_whatever_the_umask),
		TEST(a_living_daemon_is_not_replaced),
		TEST(a_dead_daemons_socket_is_replaced),
		TEST(a_file_that_is_no_socket_is_left_alone),
		TEST(closing_ends_connections_and_removes_only_its_own_file),
		TEST(only_a_folder_that_the_server_made_and_nobody_uses_is_removed),
		TEST(a_folder_made_for_a_socket_that_cannot_be_is_not_left),
		TEST(without_descriptors_it_says_so_once_and_serves_when_there_are_some),
		TEST(paths_that_cannot_hold_a_socket_are_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
