/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One question, one answer, then the connection is closed.
 */
#include "control/client.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/macros.h"
#include "control/commands.h"

/* A hundred thousand allocations with their channels fit; an endless answer does not. */
#define ANSWER_MAX ((size_t)1 << 28)

static void put_error(char ret[static CONTROL_ERROR_MAX], const char *format, ...)
	PRINTF_LIKE(2, 3);

static void put_error(char ret[static CONTROL_ERROR_MAX], const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(ret, CONTROL_ERROR_MAX, format, args);
	va_end(args);
}

static long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Waits until fd is ready or the deadline is over: 0 or -errno. */
static int wait_for(int fd, short events, long long deadline_ms)
{
	for (;;) {
		struct pollfd p = {.fd = fd, .events = events};
		long long left_ms = deadline_ms - now_ms();
		int n = left_ms > 0 ? poll(&p, 1, (int)left_ms) : 0;

		if (n > 0)
			return 0;
		if (n == 0)
			return -ETIMEDOUT;
		if (errno != EINTR)
			return -errno;
	}
}

static int connect_to(const char *path, int *ret_fd)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un sun = {.sun_family = AF_UNIX};

	if (fd < 0)
		return -errno;
	if (strlen(path) >= sizeof(sun.sun_path))
		return -ENAMETOOLONG;
	memcpy(sun.sun_path, path, strlen(path));
	/* EAGAIN is a full backlog: somebody listens, and does not get to us. */
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int send_all(int fd, const char *text, size_t len, long long deadline_ms)
{
	while (len > 0) {
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL);
		int err = n < 0 ? -errno : 0;

		if (err == -EAGAIN)
			err = wait_for(fd, POLLOUT, deadline_ms);
		if (err < 0 && err != -EINTR)
			return err;
		if (n > 0) {
			text += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

struct answer {
	char *text;
	size_t len, size;
};

static void answer_free(struct answer *answer)
{
	free(answer->text);
}

static int answer_grow(struct answer *answer)
{
	size_t size = answer->size ? 2 * answer->size : 65536;
	char *text = size <= ANSWER_MAX ? realloc(answer->text, size) : NULL;

	if (!text)
		return size <= ANSWER_MAX ? -ENOMEM : -EMSGSIZE;
	answer->text = text;
	answer->size = size;
	return 0;
}

/* Reads up to the end of the line. -ECONNRESET if there was none before the connection's end. */
static int receive_line(int fd, struct answer *answer, long long deadline_ms)
{
	for (;;) {
		int err = answer->len == answer->size ? answer_grow(answer) : 0;
		ssize_t n;

		if (err < 0)
			return err;
		n = recv(fd, answer->text + answer->len, answer->size - answer->len, 0);
		if (n == 0)
			return -ECONNRESET;
		if (n < 0) {
			err = errno == EAGAIN ? wait_for(fd, POLLIN, deadline_ms) : -errno;
			if (err < 0 && err != -EINTR)
				return err;
			continue;
		}

		const char *end = memchr(answer->text + answer->len, '\n', (size_t)n);

		if (end) {
			answer->len = (size_t)(end - answer->text);
			return 0;
		}
		answer->len += (size_t)n;
	}
}

static int unpack_answer(const char *path, const struct answer *answer, json_t **ret,
			 char ret_error[static CONTROL_ERROR_MAX])
{
	json_t *document = json_loadb(answer->text, answer->len, JSON_REJECT_DUPLICATES, NULL);
	json_t *result = json_object_get(document, "result");
	const char *error = json_string_value(json_object_get(document, "error"));
	bool ok = json_is_true(json_object_get(document, "ok")) && result;

	if (ok)
		*ret = json_incref(result);
	else if (error)
		put_error(ret_error, "%s: turnpiked refused: %s", path, error);
	else
		put_error(ret_error, "%s: what answers there does not speak this protocol", path);
	json_decref(document);
	return ok ? 0 : -EPROTO;
}

static int exchange(const char *path, enum control_command command, long long deadline_ms,
		    struct answer *answer)
{
	_cleanup_close_ int fd = -1;
	char request[64];
	int len = snprintf(request, sizeof(request), "{\"command\": \"%s\"}\n",
			   control_command_name(command));
	int err = connect_to(path, &fd);

	if (err == 0)
		err = send_all(fd, request, (size_t)len, deadline_ms);
	/* A server that says no before it reads has closed by now; its reason is still there. */
	if (err == 0 || err == -EPIPE)
		err = receive_line(fd, answer, deadline_ms);
	return err;
}

int control_ask_within(const char *path, enum control_command command, int timeout_ms, json_t **ret,
		       char ret_error[static CONTROL_ERROR_MAX])
{
	struct answer answer CLEANUP(answer_free) = {0};
	int err = exchange(path, command, now_ms() + timeout_ms, &answer);

	if (err == 0)
		return unpack_answer(path, &answer, ret, ret_error);
	if (err == -ENOENT || err == -ECONNREFUSED)
		put_error(ret_error, "%s: no turnpiked is running there", path);
	else if (err == -ETIMEDOUT)
		put_error(ret_error, "%s: turnpiked did not answer within %d ms", path, timeout_ms);
	else
		put_error(ret_error, "%s: %s", path, strerror(-err));
	return err;
}

int control_ask(const char *path, enum control_command command, json_t **ret,
		char ret_error[static CONTROL_ERROR_MAX])
{
	return control_ask_within(path, command, CONTROL_TIMEOUT_MS, ret, ret_error);
}
