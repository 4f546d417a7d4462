/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control socket's client against servers that answer, refuse, babble, stall or are not
 * there. A thread plays the server: it takes one connection, reads a line and says what it is told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "base/macros.h"
#include "control/client.h"

struct fixture {
	char folder[64], path[96];
	int listener;
	const char *answer; /* NULL: say nothing until the client hangs up */
	size_t repeat;	    /* the answer's first byte, that often, in front of it */
	char request[128];
	pthread_t thread;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct sockaddr_un sun = {.sun_family = AF_UNIX};

	snprintf(f->folder, sizeof(f->folder), "/tmp/tp-control-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	snprintf(f->path, sizeof(f->path), "%s/s", f->folder);
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", f->path);
	f->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(f->listener, (struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_int_equal(listen(f->listener, 1), 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	cleanup_close(&f->listener);
	unlink(f->path);
	rmdir(f->folder);
	free(f);
	return 0;
}

static void *play_server(void *arg)
{
	struct fixture *f = arg;
	_cleanup_close_ int fd = accept(f->listener, NULL, NULL);
	char byte;

	for (size_t len = 0; len + 1 < sizeof(f->request); len++)
		if (recv(fd, f->request + len, 1, 0) != 1 || f->request[len] == '\n')
			break;
	for (size_t i = 0; f->answer && i < f->repeat; i++)
		(void)!send(fd, f->answer, 1, MSG_NOSIGNAL);
	if (f->answer)
		(void)!send(fd, f->answer, strlen(f->answer), MSG_NOSIGNAL);
	else
		(void)!recv(fd, &byte, 1, 0);
	return NULL;
}

/* Asks while the thread plays the server. */
static int ask(struct fixture *f, enum control_command command, int timeout_ms, json_t **ret,
	       char ret_error[static CONTROL_ERROR_MAX])
{
	ret_error[0] = '\0';
	assert_int_equal(pthread_create(&f->thread, NULL, play_server, f), 0);

	int err = control_ask_within(f->path, command, timeout_ms, ret, ret_error);

	pthread_join(f->thread, NULL);
	return err;
}

/* Compares the words behind the socket's path. */
static void expect_error(const struct fixture *f, const char *error, const char *words)
{
	assert_int_equal(strncmp(error, f->path, strlen(f->path)), 0);
	assert_string_equal(error + strlen(f->path), words);
}

static void a_result_comes_back_as_json(void **state)
{
	struct fixture *f = *state;
	char error[CONTROL_ERROR_MAX];
	json_t *result = NULL;

	f->answer = "{\"ok\": true, \"result\": {\"a\": [1]}}\nrest";
	assert_int_equal(ask(f, CONTROL_ALLOCATIONS, 5000, &result, error), 0);
	assert_string_equal(f->request, "{\"command\": \"allocations\"}\n");
	assert_int_equal(json_array_size(json_object_get(result, "a")), 1);
	json_decref(result);
}

static void an_answer_of_many_reads_comes_back_whole(void **state)
{
	struct fixture *f = *state;
	char error[CONTROL_ERROR_MAX];
	json_t *result = NULL;

	f->answer = " {\"ok\": true, \"result\": 7}\n";
	f->repeat = 300000;
	assert_int_equal(ask(f, CONTROL_STATS, 20000, &result, error), 0);
	assert_int_equal(json_integer_value(result), 7);
	json_decref(result);
}

static void a_refusal_and_nonsense_are_protocol_errors_with_words(void **state)
{
	static const struct {
		const char *answer, *words;
	} rows[] = {
		{"{\"ok\": false, \"error\": \"not today\"}\n", ": turnpiked refused: not today"},
		{"{\"ok\": true}\n", ": what answers there does not speak this protocol"},
		{"{\"result\": 1}\n", ": what answers there does not speak this protocol"},
		{"HTTP/1.1 400 Bad Request\r\n",
		 ": what answers there does not speak this protocol"},
		{"\n", ": what answers there does not speak this protocol"},
		{"[1]\n", ": what answers there does not speak this protocol"},
	};
	struct fixture *f = *state;
	char error[CONTROL_ERROR_MAX];
	json_t *result = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		f->answer = rows[i].answer;
		assert_int_equal(ask(f, CONTROL_STATUS, 5000, &result, error), -EPROTO);
		expect_error(f, error, rows[i].words);
		assert_null(result);
	}
}

static void a_connection_that_ends_early_is_an_error(void **state)
{
	struct fixture *f = *state;
	char error[CONTROL_ERROR_MAX];
	json_t *result = NULL;

	f->answer = "{\"ok\": true, \"result\": {";
	assert_int_equal(ask(f, CONTROL_STATUS, 5000, &result, error), -ECONNRESET);
	expect_error(f, error, ": Connection reset by peer");
	assert_null(result);
}

static void a_silent_server_is_waited_for_no_longer_than_asked(void **state)
{
	struct fixture *f = *state;
	char error[CONTROL_ERROR_MAX];
	json_t *result = NULL;

	assert_int_equal(ask(f, CONTROL_STATUS, 20, &result, error), -ETIMEDOUT);
	expect_error(f, error, ": turnpiked did not answer within 20 ms");
}

static void nobody_there_is_said_with_the_socket(void **state)
{
	struct fixture *f = *state;
	char error[CONTROL_ERROR_MAX];
	json_t *result = NULL;

	cleanup_close(&f->listener);
	assert_int_equal(control_ask(f->path, CONTROL_STATUS, &result, error), -ECONNREFUSED);
	expect_error(f, error, ": no turnpiked is running there");
	unlink(f->path);
	assert_int_equal(control_ask(f->path, CONTROL_STATUS, &result, error), -ENOENT);
	expect_error(f, error, ": no turnpiked is running there");
}

static void a_path_too_long_for_a_socket_is_an_error(void **state)
{
	char path[300], error[CONTROL_ERROR_MAX];
	json_t *result = NULL;

	(void)state;
	memset(path, 'x', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(control_ask(path, CONTROL_STATUS, &result, error), -ENAMETOOLONG);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_result_comes_back_as_json),
		TEST(an_answer_of_many_reads_comes_back_whole),
		TEST(a_refusal_and_nonsense_are_protocol_errors_with_words),
		TEST(a_connection_that_ends_early_is_an_error),
		TEST(a_silent_server_is_waited_for_no_longer_than_asked),
		TEST(nobody_there_is_said_with_the_socket),
		TEST(a_path_too_long_for_a_socket_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
