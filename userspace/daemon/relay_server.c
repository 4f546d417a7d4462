/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Start-up and shutdown of the whole relay. See relay_server.h.
 */
#include "daemon/relay_server.h"

#include <errno.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "control/server.h"
#include "daemon/conductor.h"
#include "daemon/own_addresses.h"
#include "daemon/report.h"
#include "daemon/worker.h"
#include "io/udp.h"
#include "kernel/kernel.h"

/* Flows per allocation that the kernel's tables have room for: Send indications, permissions for
 * three addresses of peers, two channels both ways. */
#define SLOTS_PER_ALLOCATION 8
#define NEXT_HOPS_PER_WORKER 8192

/* Descriptors that are open all the time: control socket, signals, maps and programs with their
 * links; and each worker's event loop, route and neighbour sockets. Rounded up. */
#define OWN_DESCRIPTORS	   128
#define WORKER_DESCRIPTORS 16

struct relay_server {
	const struct config *config;
	const struct plan *plan;
	struct credentials *credentials;
	struct ports *ports;
	struct quota *quota;
	struct prefix *allow, *deny;
	struct kernel *kernel;
	struct kernel_problem kernel_problem;
	struct control_server *control;
	int links; /* readable when a link came, went or changed; -1: not watched */
	struct event *link_event;
	struct own_addresses *own;
	struct worker *workers[CONFIG_WORKERS_MAX];
	struct report_context report;
	struct turn_config turn;
};

static int make_credentials(struct relay_server *s)
{
	int err = credentials_new(s->config->realm, &s->credentials);

	for (size_t i = 0; err == 0 && i < s->config->auth.user_count; i++)
		err = credentials_add(s->credentials, s->config->auth.users[i].name,
				      s->config->auth.users[i].password);
	if (err < 0)
		log_error("auth: users cannot be read err=%s", strerror(-err));
	return err;
}

static int copy_prefixes(const struct config_prefix *from, size_t count, struct prefix **ret)
{
	struct prefix *copy = calloc(count + 1, sizeof(*copy));

	if (!copy)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		copy[i] = from[i].prefix;
	*ret = copy;
	return 0;
}

/*
 * Buckets are numbered like the allocations of a worker. Clients are spread over the workers by
 * hash, so a worker may have more than its share: with twice that, the slots are full before.
 */
static uint32_t buckets_per_worker(const struct relay_server *s)
{
	if (!s->config->limits.bandwidth_per_allocation)
		return 0;
	return 2 * (s->config->limits.allocations / s->plan->workers + 1);
}

static int make_turn_config(struct relay_server *s)
{
	const struct config *c = s->config;
	struct turn_config *t = &s->turn;
	size_t own_count;
	const struct addr *own = own_addresses_list(s->own, &own_count);
	int err = copy_prefixes(c->peers.allow, c->peers.allow_count, &s->allow);

	if (err == 0)
		err = copy_prefixes(c->peers.deny, c->peers.deny_count, &s->deny);
	if (err < 0)
		return err;
	if (RAND_bytes(t->nonce_key, sizeof(t->nonce_key)) != 1)
		return -EIO;
	t->credentials = s->credentials;
	t->nonce_lifetime_s = c->auth.nonce_lifetime_s;
	t->peers = (struct peer_policy){.allow = s->allow,
					.allow_count = c->peers.allow_count,
					.deny = s->deny,
					.deny_count = c->peers.deny_count,
					.own = own,
					.own_count = own_count};
	t->ports = s->ports;
	t->quota = s->quota;
	t->bandwidth_bps = c->limits.bandwidth_per_allocation;
	t->allocations_max = c->limits.allocations;
	t->allocations_per_user = c->limits.allocations_per_user;
	t->permissions_per_allocation = c->limits.permissions_per_allocation;
	t->channels_per_allocation = c->limits.channels_per_allocation;
	return 0;
}

static const char *remedy_of_listen(int err)
{
	if (err == -EADDRINUSE)
		return " remedy=\"another server has this port: stop it, or change listen\"";
	if (err == -EACCES)
		return " remedy=\"ports below 1024 need CAP_NET_BIND_SERVICE: grant it, or change "
		       "listen\"";
	return "";
}

/*
 * The workers' sockets share their ports, so they would share them with another daemon too. One
 * socket that does not share tells whether somebody is there.
 */
static int check_listeners_free(const struct plan *plan)
{
	for (size_t i = 0; i < plan->listen_count; i++) {
		_cleanup_close_ int fd = udp_open(&plan->listen[i], false, 0);

		if (fd >= 0)
			continue;
		log_error("listen: cannot bind addr=udp:%s err=%s%s", ADDR_TEXT(&plan->listen[i]),
			  strerror(-fd), remedy_of_listen(fd));
		return fd;
	}
	return 0;
}

/* Two for an allocation of both families or a pair of ports; no more than there are ports. */
static rlim_t relay_ports_max(const struct relay_server *s)
{
	const struct ports_config *relay = &s->plan->relay;

	return MIN(2 * (rlim_t)s->config->limits.allocations,
		   (rlim_t)relay->count * (relay->last - relay->first + 1u));
}

/* One descriptor per relay port, the reserve, and what everything else has open all the time. */
static void raise_descriptor_limit(const struct relay_server *s)
{
	rlim_t ports = relay_ports_max(s);
	rlim_t wanted = ports + CONDUCTOR_DESCRIPTOR_RESERVE + OWN_DESCRIPTORS +
			s->plan->workers * (WORKER_DESCRIPTORS + (rlim_t)s->plan->listen_count);
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	if (limit.rlim_cur >= wanted)
		return;
	/* Root may raise the hard limit too; others get what they may have. */
	if (setrlimit(RLIMIT_NOFILE, &(struct rlimit){wanted, MAX(wanted, limit.rlim_max)}) == 0)
		return;
	limit.rlim_cur = MIN(wanted, limit.rlim_max);
	setrlimit(RLIMIT_NOFILE, &limit);
	log_warning("limits: descriptors allow at most %llu relay ports, limits.allocations and "
		    "relay.ports ask for %llu remedy=\"raise LimitNOFILE (ulimit -n) to %llu\"",
		    (unsigned long long)(limit.rlim_cur -
					 MIN(limit.rlim_cur, CONDUCTOR_DESCRIPTOR_RESERVE)),
		    (unsigned long long)ports, (unsigned long long)wanted);
}

static void own_addresses(struct relay_server *s)
{
	const struct plan *p = s->plan;
	int err = 0;

	for (size_t i = 0; i < p->listen_count && err == 0; i++)
		err = kernel_own(s->kernel, &p->listen[i], p->listen[i].port, 0, 0);
	for (size_t i = 0; i < p->relay.count && err == 0; i++)
		err = kernel_own(s->kernel, &p->relay.addresses[i].internal, 0, p->relay.first,
				 p->relay.last);
	if (err < 0)
		log_warning("kernel: own addresses cannot be set, misses are counted as others' "
			    "err=%s",
			    strerror(-err));
}

static void attach_interfaces(struct relay_server *s)
{
	for (size_t i = 0; i < s->plan->interface_count; i++) {
		struct kernel_attachment got;

		kernel_attach(s->kernel, s->plan->interfaces[i], &got);
		if (got.mode == KERNEL_MODE_OFF)
			log_warning("kernel: interface stays without kernel path, its traffic is "
				    "relayed on sockets interface=%s reason=\"%s\"",
				    s->plan->interfaces[i], got.reason);
		else
			log_info("kernel: attached interface=%s mode=%s%s%s%s", got.name,
				 kernel_mode_name(got.mode), got.reason[0] ? " reason=\"" : "",
				 got.reason, got.reason[0] ? "\"" : "");
	}
	kernel_attach_done(s->kernel);
}

/* Interfaces come and go: the kernel path follows those that it was given. */
static void on_links(evutil_socket_t fd, short what, void *arg)
{
	const struct relay_server *s = arg;

	(void)what;
	if (net_links_changed(fd) && !kernel_is_null(s->kernel))
		kernel_refresh_attachments(s->kernel);
}

/* Before interfaces are attached, so that nothing is missed in between. */
static int watch_links(struct relay_server *s, struct event_base *base)
{
	int err = net_watch_links(&s->links);

	if (err < 0)
		return err;
	s->link_event = event_new(base, s->links, EV_READ | EV_PERSIST, on_links, s);
	return s->link_event && event_add(s->link_event, NULL) == 0 ? 0 : -ENOMEM;
}

/* The kernel path never keeps the relay from serving. */
static int open_kernel(struct relay_server *s)
{
	static const enum kernel_mode modes[] = {
		[CONFIG_KERNEL_OFF] = KERNEL_MODE_OFF,
		[CONFIG_KERNEL_GENERIC] = KERNEL_MODE_GENERIC,
		[CONFIG_KERNEL_NATIVE] = KERNEL_MODE_NATIVE,
		[CONFIG_KERNEL_AUTO] = KERNEL_MODE_AUTO,
	};
	const struct kernel_options options = {
		.mode = modes[s->config->kernel.mode],
		.pin_path = s->config->kernel.pin_path,
		.slots = s->config->limits.allocations * SLOTS_PER_ALLOCATION,
		.next_hops = 1 + s->plan->workers * NEXT_HOPS_PER_WORKER,
		.buckets = 1 + s->plan->workers * buckets_per_worker(s),
		.workers = s->plan->workers,
	};
	int err;

	if (options.mode == KERNEL_MODE_OFF) {
		snprintf(s->kernel_problem.text, sizeof(s->kernel_problem.text),
			 "kernel.mode is off");
		log_info("kernel: off by configuration, every packet is relayed on sockets");
		return kernel_open_null(&s->kernel);
	}
	err = kernel_open(&options, &s->kernel, &s->kernel_problem);
	if (err < 0) {
		log_warning("kernel: no kernel path, every packet is relayed on sockets "
			    "reason=\"%s\"",
			    s->kernel_problem.text);
		return kernel_open_null(&s->kernel);
	}
	own_addresses(s);
	attach_interfaces(s);
	return 0;
}

static int start_workers(struct relay_server *s)
{
	for (uint32_t i = 0; i < s->plan->workers; i++) {
		const struct worker_config config = {
			.index = i,
			.plan = s->plan,
			.turn = &s->turn,
			.kernel = s->kernel,
			.next_hops = NEXT_HOPS_PER_WORKER,
			.buckets = buckets_per_worker(s),
		};
		int err = worker_start(&config, &s->workers[i]);

		if (err < 0) {
			log_error("worker: cannot start index=%u err=%s", i, strerror(-err));
			return err;
		}
	}
	return 0;
}

static int open_control(struct relay_server *s, struct event_base *base)
{
	const char *path = s->config->control.socket;
	int err = control_server_open(base, path, report_answer, &s->report, &s->control);

	if (err == -EADDRINUSE)
		log_error("control: another turnpiked answers socket=%s remedy=\"stop it, or give "
			  "this one its own control.socket\"",
			  path);
	else if (err < 0)
		log_error("control: cannot make the socket socket=%s err=%s remedy=\"set "
			  "control.socket to a path this user may write\"",
			  path, strerror(-err));
	return err;
}

static uint64_t monotonic_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NSEC_PER_SEC + (uint64_t)t.tv_nsec;
}

static int start(struct relay_server *s, struct event_base *base)
{
	int err;

	/* Whoever is there already keeps everything: nothing is touched before this is known. */
	err = open_control(s, base);
	if (err == 0)
		err = check_listeners_free(s->plan);
	if (err == 0)
		err = make_credentials(s);
	if (err == 0)
		err = ports_new(&s->plan->relay, &s->ports);
	if (err == 0)
		err = quota_new(credentials_count(s->credentials), s->config->limits.allocations,
				s->config->limits.allocations_per_user, &s->quota);
	if (err == 0)
		err = own_addresses_open(base, s->workers, ARRAY_SIZE(s->workers), &s->own);
	if (err == 0)
		err = make_turn_config(s);
	if (err < 0)
		return err;
	raise_descriptor_limit(s);
	err = watch_links(s, base);
	if (err == 0)
		err = open_kernel(s);
	if (err == 0)
		err = start_workers(s);
	s->report = (struct report_context){.config = s->config,
					    .plan = s->plan,
					    .kernel = s->kernel,
					    .kernel_reason = s->kernel_problem.text,
					    .workers = s->workers,
					    .started_ns = monotonic_ns()};
	return err;
}

int relay_server_start(struct event_base *base, const struct config *config,
		       const struct plan *plan, struct relay_server **ret)
{
	struct relay_server *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->config = config;
	s->plan = plan;
	s->links = -1;
	err = start(s, base);
	if (err < 0) {
		relay_server_stop(&s);
		return err;
	}
	*ret = s;
	return 0;
}

/* Reservations hold bound sockets that no worker knows. */
static void close_reservations(struct ports *ports)
{
	struct ports_reservation reservation;

	while (ports && ports_expire(ports, UINT64_MAX, &reservation))
		cleanup_close(&reservation.relay);
}

void relay_server_stop(struct relay_server **server)
{
	struct relay_server *s = *server;

	if (!s)
		return;
	control_server_close(&s->control);
	if (s->link_event)
		event_free(s->link_event);
	cleanup_close(&s->links);
	own_addresses_close(&s->own);
	for (size_t i = 0; i < ARRAY_SIZE(s->workers); i++)
		worker_stop(&s->workers[i]);
	kernel_close(&s->kernel);
	close_reservations(s->ports);
	ports_free(&s->ports);
	quota_free(&s->quota);
	credentials_free(&s->credentials);
	free(s->allow);
	free(s->deny);
	explicit_bzero(&s->turn, sizeof(s->turn));
	free(s);
	*server = NULL;
}
