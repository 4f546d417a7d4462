/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Connections of the control socket: lines in, documents out, limits. One request at a time per
 * connection; nothing is read while an answer waits to be taken.
 */
#include "control/server.h"

#include <errno.h>
#include <event2/buffer.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/macros.h"
#include "control/commands.h"
#include "control/socket.h"

/* How long accepting pauses when descriptors or memory ran out. */
#define ACCEPT_PAUSE_MS 1000

/* Bytes of what a client wrote that an answer repeats. */
#define QUOTE_MAX 60

struct connection {
	struct control_server *server;
	struct connection *next;
	int fd;
	struct event *readable, *writable, *idle;
	struct evbuffer *out;
	char in[CONTROL_REQUEST_MAX];
	size_t in_len;
	bool last; /* close when the answer is out */
};

struct control_server {
	struct event_base *base;
	char *path;
	struct control_socket_file file;
	control_handler handler;
	void *ctx;
	int fd;
	struct event *acceptable, *resume;
	struct connection *connections;
	unsigned int connection_count;
	unsigned int idle_ms;
	struct log_limit accept_limit;
};

static struct timeval timeval_ms(unsigned int ms)
{
	return (struct timeval){.tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000};
}

static uint64_t monotonic_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NSEC_PER_SEC + (uint64_t)t.tv_nsec;
}

static void event_drop(struct event **event)
{
	if (*event)
		event_free(*event);
	*event = NULL;
}

static void connection_free(struct connection **c)
{
	if (!*c)
		return;
	event_drop(&(*c)->readable);
	event_drop(&(*c)->writable);
	event_drop(&(*c)->idle);
	if ((*c)->out)
		evbuffer_free((*c)->out);
	cleanup_close(&(*c)->fd);
	free(*c);
	*c = NULL;
}

#define _cleanup_connection_ CLEANUP(connection_free)

static void connection_close(struct connection *c)
{
	struct connection **at = &c->server->connections;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	c->server->connection_count--;
	connection_free(&c);
}

/* Its time starts anew: for the next request, or for taking an answer. */
static void connection_rearm(struct connection *c)
{
	struct timeval idle = timeval_ms(c->server->idle_ms);

	evtimer_add(c->idle, &idle);
}

static size_t pending_bytes(const struct control_server *server)
{
	size_t sum = 0;

	for (const struct connection *c = server->connections; c; c = c->next)
		sum += evbuffer_get_length(c->out);
	return sum;
}

static int append(const char *text, size_t len, void *out)
{
	return evbuffer_add(out, text, len);
}

/* Takes result, which may be NULL. False if memory ran out. */
static bool put_answer(struct connection *c, json_t *result, const char *error)
{
	json_t *answer = result ? json_pack("{s:b, s:o}", "ok", 1, "result", result)
				: json_pack("{s:b, s:s}", "ok", 0, "error", error);
	/* Whatever the words, somebody waits for a line: jansson takes no text but UTF-8. */
	if (!answer)
		answer = json_pack("{s:b, s:s}", "ok", 0, "error", "the answer cannot be written");

	bool ok = answer && json_dump_callback(answer, append, c->out, JSON_COMPACT) == 0 &&
		  evbuffer_add(c->out, "\n", 1) == 0;

	json_decref(answer);
	return ok;
}

/* How much of text may be quoted: up to max bytes, and no part of a UTF-8 character. */
static int quotable_len(const char *text, size_t max)
{
	size_t len = strnlen(text, max + 1);

	if (len <= max)
		return (int)len;
	len = max;
	while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
		len--;
	return (int)len;
}

/* What is wrong with a request, or NULL and the command. ret_text has room for the words. */
static const char *understand(const json_t *request, char *text, size_t size,
			      enum control_command *ret)
{
	const char *name = json_string_value(json_object_get(request, "command"));
	char list[CONTROL_COMMAND_LIST_MAX];
	int command = name ? control_command_parse(name) : -EINVAL;

	if (command >= 0) {
		*ret = (enum control_command)command;
		return NULL;
	}
	if (name)
		snprintf(text, size, "there is no command \"%.*s\"; allowed: %s",
			 quotable_len(name, QUOTE_MAX), name, control_command_list(list));
	else
		snprintf(text, size,
			 "a request is one line with an object such as {\"command\": \"%s\"}; "
			 "commands: %s",
			 control_command_name(CONTROL_STATUS), control_command_list(list));
	return text;
}

static bool answer_line(struct connection *c, const char *line, size_t len)
{
	struct control_server *server = c->server;
	json_t *request = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	enum control_command command = CONTROL_COMMAND_MAX;
	char text[CONTROL_COMMAND_LIST_MAX + 128];
	const char *error = understand(request, text, sizeof(text), &command);
	json_t *result = NULL;

	if (!error && pending_bytes(server) >= CONTROL_PENDING_MAX)
		error = "too many answers wait to be read by other clients; try again later";
	if (!error) {
		error = "the daemon could not answer";
		result = server->handler(server->ctx, command, request, &error);
	}
	json_decref(request);
	return put_answer(c, result, error);
}

/*
 * Answers the first whole line there is, unless an answer still waits. False if the connection
 * is beyond use.
 */
static bool serve_line(struct connection *c, bool at_end)
{
	char *end = memchr(c->in, '\n', c->in_len);
	size_t len = end ? (size_t)(end - c->in) : c->in_len;
	size_t taken = end ? len + 1 : len;
	bool ok;

	if (!end && c->in_len == sizeof(c->in)) {
		c->last = true;
		c->in_len = 0;
		return put_answer(c, NULL, "the request is too long; allowed: up to 4095 bytes");
	}
	_Static_assert(CONTROL_REQUEST_MAX == 4096, "the number in the text");
	if (!end && !(at_end && len > 0))
		return true;
	ok = answer_line(c, c->in, len);
	c->in_len -= taken;
	memmove(c->in, c->in + taken, c->in_len);
	return ok;
}

/* Sends what the socket takes. 0, or -errno other than EAGAIN. */
static int flush(struct connection *c)
{
	while (evbuffer_get_length(c->out) > 0) {
		struct iovec parts[16];
		int count = evbuffer_peek(c->out, -1, NULL, parts, ARRAY_SIZE(parts));
		struct msghdr m = {
			.msg_iov = parts,
			.msg_iovlen = MIN((size_t)count, ARRAY_SIZE(parts)),
		};
		ssize_t n = sendmsg(c->fd, &m, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		evbuffer_drain(c->out, (size_t)n);
	}
	return 0;
}

/*
 * Sends, then answers the next line, until one of the two has to wait for the client. Frees the
 * connection at its end.
 */
static void advance(struct connection *c, bool at_end)
{
	for (;;) {
		bool had_answer = evbuffer_get_length(c->out) > 0;

		if (flush(c) < 0)
			break;
		if (evbuffer_get_length(c->out) > 0) {
			/* Requests behind this one are lost with the client's end. */
			c->last = c->last || at_end;
			event_del(c->readable);
			event_add(c->writable, NULL);
			return;
		}
		if (had_answer)
			connection_rearm(c);
		if (c->last || !serve_line(c, at_end))
			break;
		if (evbuffer_get_length(c->out) == 0) {
			if (at_end)
				break;
			event_add(c->readable, NULL);
			return;
		}
		connection_rearm(c);
	}
	connection_close(c);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct connection *c = arg;
	ssize_t n = recv(fd, c->in + c->in_len, sizeof(c->in) - c->in_len, 0);

	(void)what;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		connection_close(c);
		return;
	}
	c->in_len += (size_t)n;
	advance(c, n == 0);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct connection *c = arg;

	(void)fd;
	(void)what;
	event_del(c->writable);
	advance(c, false);
}

static void on_idle(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	connection_close(arg);
}

/* Takes fd, whatever comes of it. */
static int connection_new(struct control_server *server, int fd)
{
	_cleanup_connection_ struct connection *c = calloc(1, sizeof(*c));

	if (!c) {
		cleanup_close(&fd);
		return -ENOMEM;
	}
	c->fd = fd;
	c->server = server;
	c->out = evbuffer_new();
	c->readable = event_new(server->base, fd, EV_READ | EV_PERSIST, on_readable, c);
	c->writable = event_new(server->base, fd, EV_WRITE | EV_PERSIST, on_writable, c);
	c->idle = evtimer_new(server->base, on_idle, c);
	if (!c->out || !c->readable || !c->writable || !c->idle || event_add(c->readable, NULL) < 0)
		return -ENOMEM;
	connection_rearm(c);
	c->next = server->connections;
	server->connections = TAKE_PTR(c);
	server->connection_count++;
	return 0;
}

static void refuse(int fd)
{
	static const char full[] = "{\"ok\":false,\"error\":\"too many connections; close one, or "
				   "wait until an idle one ends\"}\n";

	(void)!send(fd, full, sizeof(full) - 1, MSG_NOSIGNAL);
	cleanup_close(&fd);
}

static void on_acceptable(evutil_socket_t listener, short what, void *arg)
{
	struct control_server *server = arg;
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	int err = fd < 0 ? errno : 0;
	uint64_t suppressed;

	(void)what;
	if (fd >= 0 && server->connection_count >= CONTROL_CONNECTIONS_MAX) {
		refuse(fd);
		return;
	}
	if (fd >= 0)
		err = -connection_new(server, fd);
	if (err == 0 || err == EAGAIN || err == EINTR || err == ECONNABORTED)
		return;

	/* Out of descriptors or memory: the listener stays readable, so it has to be left alone. */
	struct timeval pause = timeval_ms(ACCEPT_PAUSE_MS);

	if (log_limit_allow(&server->accept_limit, monotonic_ns(), &suppressed))
		log_warning("control: cannot take a connection, pausing err=%s suppressed=%llu",
			    strerror(err), (unsigned long long)suppressed);
	event_del(server->acceptable);
	evtimer_add(server->resume, &pause);
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
	struct control_server *server = arg;

	(void)fd;
	(void)what;
	event_add(server->acceptable, NULL);
}

int control_server_open(struct event_base *base, const char *path, control_handler handler,
			void *ctx, struct control_server **ret)
{
	struct control_server *server CLEANUP(control_server_close) = calloc(1, sizeof(*server));
	int err;

	if (!server)
		return -ENOMEM;
	server->fd = -1;
	server->base = base;
	server->handler = handler;
	server->ctx = ctx;
	server->idle_ms = CONTROL_IDLE_MS;
	server->accept_limit = (struct log_limit){.interval_ms = 60000, .burst = 1};
	server->path = strdup(path);
	if (!server->path)
		return -ENOMEM;
	err = control_socket_listen(path, &server->fd, &server->file);
	if (err < 0)
		return err;
	server->acceptable = event_new(base, server->fd, EV_READ | EV_PERSIST, on_acceptable,
				       server);
	server->resume = evtimer_new(base, on_resume, server);
	if (!server->acceptable || !server->resume || event_add(server->acceptable, NULL) < 0)
		return -ENOMEM;
	*ret = TAKE_PTR(server);
	return 0;
}

void control_server_set_idle(struct control_server *server, unsigned int idle_ms)
{
	server->idle_ms = idle_ms;
}

void control_server_close(struct control_server **server)
{
	struct control_server *s = *server;

	if (!s)
		return;
	while (s->connections)
		connection_close(s->connections);
	event_drop(&s->acceptable);
	event_drop(&s->resume);
	if (s->fd >= 0)
		control_socket_remove(s->path, &s->file);
	cleanup_close(&s->fd);
	free(s->path);
	free(s);
	*server = NULL;
}
