/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Carries out what the state machine decided. See conductor.h.
 */
#include "daemon/conductor.h"

#include <errno.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <uthash.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "config/config.h"
#include "io/udp.h"

/* Batches read from one socket before the others get their turn. */
#define ROUNDS_PER_WAKEUP 4

/* A burst of some milliseconds while the worker serves others; only what waits costs memory. */
#define RELAY_BUFFER (1 << 20)

struct listener {
	struct conductor *conductor;
	struct addr local;
	uint32_t path;
	int fd;
	struct event *event;
};

/* A relay socket that has an allocation. The key of the table is the descriptor. */
struct relay {
	struct conductor *conductor;
	int fd;
	struct event *event;
	UT_hash_handle hh;
};

struct conductor {
	struct event_base *base;
	struct turn *turn;
	struct flows *flows;
	struct listener listeners[CONFIG_LISTEN_MAX];
	size_t listener_count;
	struct relay *relays;
	struct entropy entropy;
	struct conductor_counters counters;
	struct log_limit socket_limit;
	struct turn_actions actions;
	struct udp_queue queue;
	struct udp_batch batch;
};

static uint64_t clock_ns(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * NSEC_PER_SEC + (uint64_t)t.tv_nsec;
}

static struct turn_now clock_read(void)
{
	return (struct turn_now){.mono_ns = clock_ns(CLOCK_MONOTONIC),
				 .wall_s = clock_ns(CLOCK_REALTIME) / NSEC_PER_SEC};
}

/* Without random bytes a relay must not go on: nonces and ports would be guessable. */
static void fill_entropy(struct entropy *e)
{
	if (e->left >= TURN_ENTROPY_MIN)
		return;
	ASSERT(RAND_bytes(e->bytes, sizeof(e->bytes)) == 1);
	e->left = sizeof(e->bytes);
}

static void on_relay_readable(evutil_socket_t fd, short what, void *arg);

static int relay_attach(struct conductor *c, int fd)
{
	struct relay *relay = calloc(1, sizeof(*relay));

	if (!relay)
		return -ENOMEM;
	relay->conductor = c;
	relay->fd = fd;
	relay->event = event_new(c->base, fd, EV_READ | EV_PERSIST, on_relay_readable, relay);
	if (!relay->event || event_add(relay->event, NULL) < 0) {
		if (relay->event)
			event_free(relay->event);
		free(relay);
		return -ENOMEM;
	}
	HASH_ADD_INT(c->relays, fd, relay);
	return 0;
}

/* Closes a relay; one that waits in a reservation has no entry here, only its descriptor. */
static void relay_close(struct conductor *c, int fd)
{
	struct relay *relay;

	HASH_FIND_INT(c->relays, &fd, relay);
	if (relay) {
		HASH_DEL(c->relays, relay);
		event_free(relay->event);
		free(relay);
	}
	close(fd);
}

/* True for one of the last descriptors. The limit may be changed from outside at any time. */
static bool is_reserve(int fd)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
	       (rlim_t)fd + CONDUCTOR_DESCRIPTOR_RESERVE >= limit.rlim_cur;
}

/* The kernel gives the lowest descriptor that is free, so a high one means that few are left. */
static int open_relay_socket(const struct addr *internal)
{
	_cleanup_close_ int fd = udp_open(internal, false, RELAY_BUFFER);

	if (fd < 0)
		return fd;
	return is_reserve(fd) ? -EMFILE : TAKE_FD(fd);
}

static const char *remedy_of_open(int err)
{
	if (err == -EMFILE)
		return " remedy=\"raise LimitNOFILE (ulimit -n)\"";
	if (err == -EACCES)
		return " remedy=\"ports below 1024 need CAP_NET_BIND_SERVICE: grant it, or change "
		       "relay.ports\"";
	return "";
}

/* Binds one relay port, or two in a row: both or none. */
static void open_relay(struct conductor *c, const struct turn_action *action,
		       struct turn_relay_result *ret)
{
	struct addr next = action->open_relay.internal;
	_cleanup_close_ int relay = open_relay_socket(&action->open_relay.internal);
	_cleanup_close_ int reserved = -1;

	*ret = (struct turn_relay_result){.relay = -1, .reserved = -1};
	next.port++;
	if (relay >= 0 && action->open_relay.pair)
		reserved = open_relay_socket(&next);
	if (relay < 0 || (action->open_relay.pair && reserved < 0)) {
		ret->error = relay < 0 ? relay : reserved;
		return;
	}
	ret->error = udp_report_errors(relay, next.family);
	if (ret->error == 0 && reserved >= 0)
		ret->error = udp_report_errors(reserved, next.family);
	if (ret->error == 0)
		ret->error = relay_attach(c, relay);
	if (ret->error < 0)
		return;
	ret->relay = TAKE_FD(relay);
	ret->reserved = TAKE_FD(reserved);
}

static void carry_out_open_relay(struct conductor *c, const struct turn_now *now,
				 const struct turn_action *action)
{
	struct turn_relay_result result;
	uint64_t suppressed;

	open_relay(c, action, &result);
	if (result.error < 0) {
		c->counters.relay_binds_refused++;
		if (result.error != -EADDRINUSE &&
		    log_limit_allow(&c->socket_limit, now->mono_ns, &suppressed))
			log_warning("relay: bind failed addr=%s err=%s%s",
				    ADDR_TEXT(&action->open_relay.internal),
				    strerror(-result.error), remedy_of_open(result.error));
	}
	fill_entropy(&c->entropy);
	turn_relay_opened(c->turn, now, &c->entropy, action->open_relay.ticket, &result,
			  &c->actions);
}

/*
 * Gives what the error queue of a relay holds to the state machine, a bounded number at a time.
 * `failed` is where a datagram did not go just now, NULL for none: of an error that is this host's
 * own the kernel does not tell the port. Returns as udp_receive_errors.
 */
static int read_errors(struct conductor *c, const struct turn_now *now, int relay,
		       const struct addr *failed)
{
	struct udp_errors errors;
	int received = udp_receive_errors(relay, &errors);

	for (size_t i = 0; i < errors.count; i++) {
		const struct udp_error *e = &errors.items[i];
		struct turn_peer_error error = {
			.peer = e->to, .type = e->type, .code = e->code, .mtu = e->mtu};

		if (e->mtu)
			flows_ask_again(c->flows);
		if (e->local && failed && addr_same_ip(&e->to, failed))
			error.peer.port = failed->port;
		if (!error.peer.port)
			continue;
		fill_entropy(&c->entropy);
		turn_peer_error(c->turn, now, &c->entropy, relay, &error, &c->actions);
	}
	c->counters.path_errors += errors.count;
	return received;
}

static void carry_out_send_peer(struct conductor *c, const struct turn_now *now,
				const struct turn_action *action)
{
	const struct span parts[UDP_PARTS] = {{0}, action->send_peer.data};
	int err;

	if (!action->send_peer.dont_fragment) {
		udp_queue_send(&c->queue, action->send_peer.relay, &action->send_peer.peer, parts);
		return;
	}
	/* DF is the socket's: what is queued must leave without it first. */
	udp_queue_flush(&c->queue);
	err = udp_send_dont_fragment(action->send_peer.relay, &action->send_peer.peer,
				     action->send_peer.data);
	if (err == 0)
		c->counters.sent++;
	else if (err == -EMSGSIZE) {
		c->counters.too_large++;
		/* Copied: the list that the action is in may grow. */
		struct addr peer = action->send_peer.peer;

		read_errors(c, now, action->send_peer.relay, &peer);
	} else
		c->counters.send_failures++;
}

static void carry_out(struct conductor *c, const struct turn_now *now,
		      const struct turn_action *action)
{
	switch (action->kind) {
	case TURN_SEND_CLIENT:
		udp_queue_send(&c->queue, c->listeners[action->send_client.path].fd,
			       &action->send_client.client, action->send_client.parts);
		break;
	case TURN_SEND_PEER:
		carry_out_send_peer(c, now, action);
		break;
	case TURN_OPEN_RELAY:
		carry_out_open_relay(c, now, action);
		break;
	case TURN_ATTACH_RELAY:
		if (relay_attach(c, action->attach_relay.relay) < 0)
			log_error("relay: a reserved port cannot be received from err=memory");
		break;
	case TURN_CLOSE_RELAY:
		/* The queue may hold datagrams that leave through it. */
		udp_queue_flush(&c->queue);
		relay_close(c, action->close_relay.relay);
		break;
	case TURN_SET_FLOW:
		flows_set(c->flows, &action->set_flow, now->mono_ns);
		break;
	case TURN_REMOVE_FLOW:
		flows_remove(c->flows, action->remove_flow.flow, now->mono_ns);
		break;
	case TURN_SET_SENDER:
		flows_set_sender(c->flows, &action->set_sender, now->mono_ns);
		break;
	case TURN_REMOVE_SENDER:
		flows_remove_sender(c->flows, action->remove_sender.sender, now->mono_ns);
		break;
	case TURN_SET_GRANT:
		flows_set_grant(c->flows, &action->set_grant, now->mono_ns);
		break;
	case TURN_REMOVE_GRANT:
		flows_remove_grant(c->flows, action->remove_grant.grant, now->mono_ns);
		break;
	}
}

/* An action may add others behind it: turn_relay_opened and turn_peer_error do. */
static void carry_out_all(struct conductor *c, const struct turn_now *now)
{
	for (size_t i = 0; i < c->actions.count; i++)
		carry_out(c, now, &c->actions.items[i]);
	turn_actions_clear(&c->actions);
}

static void count_receive_failure(struct conductor *c, int err, uint64_t now_ns)
{
	uint64_t suppressed;

	c->counters.receive_failures++;
	if (log_limit_allow(&c->socket_limit, now_ns, &suppressed))
		log_warning("io: a socket cannot be read err=%s suppressed=%llu", strerror(-err),
			    (unsigned long long)suppressed);
}

/* Gives one datagram to the state machine. source is the listener or relay it came in by. */
typedef void (*feed_function)(struct conductor *c, const struct turn_now *now,
			      const struct addr *from, struct span data, const void *source);

static void feed_from_client(struct conductor *c, const struct turn_now *now,
			     const struct addr *from, struct span data, const void *source)
{
	const struct listener *listener = source;
	const struct turn_client client = {
		.tuple = {.client = *from, .server = listener->local, .transport = TURN_UDP},
		.path = listener->path,
	};

	turn_client_input(c->turn, now, &c->entropy, &client, data, &c->actions);
}

static void feed_from_peer(struct conductor *c, const struct turn_now *now, const struct addr *from,
			   struct span data, const void *source)
{
	const struct relay *relay = source;

	turn_peer_input(c->turn, now, &c->entropy, relay->fd, from, data, &c->actions);
}

/* Data from a peer never closes a relay, so source outlives the loop. Returns what the last
 * udp_receive did, or how many came if there was a first. */
static int drain(struct conductor *c, int fd, feed_function feed, const void *source)
{
	int received = 0, all = 0;

	for (int round = 0; round < ROUNDS_PER_WAKEUP; round++) {
		struct turn_now now = clock_read();

		received = udp_receive(fd, &c->batch);
		if (received <= 0)
			break;
		all += received;
		c->counters.received += (uint64_t)received;
		for (int i = 0; i < received; i++) {
			fill_entropy(&c->entropy);
			feed(c, &now, &c->batch.items[i].from, c->batch.items[i].data, source);
			carry_out_all(c, &now);
		}
		/* What is queued points into the batch. */
		udp_queue_flush(&c->queue);
		if (received < UDP_BATCH)
			break;
	}
	return all ? all : received;
}

static void on_listener_readable(evutil_socket_t fd, short what, void *arg)
{
	const struct listener *listener = arg;
	int received = drain(listener->conductor, fd, feed_from_client, listener);

	(void)what;
	if (received < 0)
		count_receive_failure(listener->conductor, received, clock_read().mono_ns);
}

static void on_relay_readable(evutil_socket_t fd, short what, void *arg)
{
	const struct relay *relay = arg;
	struct conductor *c = relay->conductor;
	int received = drain(c, fd, feed_from_peer, relay);
	struct turn_now now;

	(void)what;
	if (received > 0)
		return;
	/* Woken up without data, or by an error: the error queue has something, and wakes us up
	 * until it is empty. Nothing is asked for while there is only data. */
	now = clock_read();
	if (read_errors(c, &now, fd, NULL) <= 0 && received < 0)
		count_receive_failure(c, received, now.mono_ns);
	carry_out_all(c, &now);
	udp_queue_flush(&c->queue);
}

int conductor_new(struct event_base *base, struct turn *turn, struct flows *flows,
		  struct conductor **ret)
{
	struct conductor *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->base = base;
	c->turn = turn;
	c->flows = flows;
	c->socket_limit = (struct log_limit){.interval_ms = 10000, .burst = 5};
	udp_batch_init(&c->batch);
	udp_queue_init(&c->queue);
	*ret = c;
	return 0;
}

void conductor_free(struct conductor **conductor)
{
	struct conductor *c = *conductor;
	struct relay *relay, *next;

	if (!c)
		return;
	for (size_t i = 0; i < c->listener_count; i++) {
		event_free(c->listeners[i].event);
		close(c->listeners[i].fd);
	}
	HASH_ITER (hh, c->relays, relay, next)
		relay_close(c, relay->fd);
	free(c);
	*conductor = NULL;
}

int conductor_listen(struct conductor *c, const struct addr *local, int fd)
{
	struct listener *listener = &c->listeners[c->listener_count];
	_cleanup_close_ int owned = fd;

	ASSERT(c->listener_count < CONFIG_LISTEN_MAX);
	*listener = (struct listener){
		.conductor = c, .local = *local, .path = (uint32_t)c->listener_count, .fd = fd};
	listener->event = event_new(c->base, fd, EV_READ | EV_PERSIST, on_listener_readable,
				    listener);
	if (!listener->event)
		return -ENOMEM;
	if (event_add(listener->event, NULL) < 0) {
		event_free(listener->event);
		return -ENOMEM;
	}
	(void)TAKE_FD(owned);
	c->listener_count++;
	return 0;
}

void conductor_tick(struct conductor *c)
{
	struct turn_now now = clock_read();
	bool more = turn_next_tick(c->turn) <= now.mono_ns;

	while (more) {
		more = turn_tick(c->turn, &now, &c->actions);
		carry_out_all(c, &now);
	}
	udp_queue_flush(&c->queue);
	flows_maintain(c->flows, now.mono_ns);
}

int conductor_set_own(struct conductor *c, const struct addr *own, size_t count)
{
	struct turn_now now = clock_read();
	int err = turn_set_own(c->turn, own, count);
	bool more = err == 0;

	while (more) {
		more = turn_end_denied(c->turn, &c->actions);
		carry_out_all(c, &now);
	}
	return err;
}

const struct conductor_counters *conductor_counters(struct conductor *c)
{
	struct udp_queue *q = &c->queue;

	c->counters.sent += q->sent;
	c->counters.send_failures += q->dropped;
	q->sent = q->dropped = 0;
	return &c->counters;
}
