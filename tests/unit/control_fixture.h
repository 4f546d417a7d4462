/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A control server and its clients in one thread: the event loop is turned until a client's
 * socket has what a test waits for.
 */
#ifndef TURNPIKE_TESTS_CONTROL_FIXTURE_H
#define TURNPIKE_TESTS_CONTROL_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
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

static inline json_t *handle(void *ctx, enum control_command command, const json_t *request,
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

static inline int set_up(void **state)
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

static inline int tear_down(void **state)
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

static inline void make_run_folder(const struct fixture *f)
{
	char run[96];

	snprintf(run, sizeof(run), "%s/run", f->folder);
	assert_int_equal(mkdir(run, 0755), 0);
}

static inline struct sockaddr_un sun_of(const char *path)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	return sun;
}

static inline int dial(const struct fixture *f)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un sun = sun_of(f->path);

	assert_int_equal(connect(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	return fd;
}

static inline void turn_loop(struct fixture *f)
{
	event_base_loop(f->base, EVLOOP_NONBLOCK);
}

/* Turns the loop until fd can be read. */
static inline void await(struct fixture *f, int fd)
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
static inline const char *read_line(struct fixture *f, int fd, char *ret, size_t size)
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

static inline void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static inline void expect_line(struct fixture *f, int fd, const char *expected)
{
	char line[1024];

	assert_string_equal(read_line(f, fd, line, sizeof(line)), expected);
}

static inline void expect_end(struct fixture *f, int fd)
{
	char byte;

	await(f, fd);
	assert_true(recv(fd, &byte, 1, 0) <= 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
