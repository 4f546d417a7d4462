/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A worker's life: open, run, stop. See worker.h.
 */
#include "daemon/worker.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "daemon/shortage.h"
#include "io/udp.h"

#define TICK_MS		100
#define LISTENER_BUFFER (4 << 20)

/* A request to a worker's thread; lives on the caller's stack until done is posted. */
struct job {
	void (*fn)(const struct worker_parts *parts, void *arg);
	void *arg;
	sem_t done;
};

struct worker {
	uint32_t index;
	struct event_base *base;
	struct turn *turn;
	struct flows *flows;
	struct conductor *conductor;
	struct shortage shortage;
	struct event *tick, *netlink, *mail;
	int mailbox[2]; /* pointers to jobs; [1] is the writing end */
	pthread_t thread;
	bool running;
};

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct worker *worker = arg;
	struct timespec now;

	(void)fd;
	(void)what;
	conductor_tick(worker->conductor);
	clock_gettime(CLOCK_MONOTONIC, &now);
	shortage_report(&worker->shortage, turn_counters(worker->turn),
			(uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec);
}

static void on_netlink(evutil_socket_t fd, short what, void *arg)
{
	struct worker *worker = arg;

	(void)fd;
	(void)what;
	flows_process(worker->flows);
}

static void on_mail(evutil_socket_t fd, short what, void *arg)
{
	struct worker *worker = arg;
	const struct worker_parts parts = {.index = worker->index,
					   .turn = worker->turn,
					   .flows = worker->flows,
					   .conductor = worker->conductor};
	struct job *job;

	(void)what;
	if (recv(fd, &job, sizeof(job), MSG_DONTWAIT) != sizeof(job))
		return;
	/* A job without a function asks the worker to end. */
	if (job->fn)
		job->fn(&parts, job->arg);
	else
		event_base_loopbreak(worker->base);
	sem_post(&job->done);
}

static void *worker_main(void *arg)
{
	struct worker *worker = arg;

	event_base_dispatch(worker->base);
	return NULL;
}

int worker_call(struct worker *worker, void (*fn)(const struct worker_parts *parts, void *arg),
		void *arg)
{
	struct job job = {.fn = fn, .arg = arg};
	struct job *mail = &job;

	if (!worker->running)
		return -EIO;
	sem_init(&job.done, 0, 0);
	if (send(worker->mailbox[1], &mail, sizeof(mail), MSG_NOSIGNAL) != sizeof(mail)) {
		sem_destroy(&job.done);
		return -EIO;
	}
	while (sem_wait(&job.done) < 0 && errno == EINTR)
		;
	sem_destroy(&job.done);
	return 0;
}

static int open_listeners(struct worker *worker, const struct plan *plan)
{
	for (size_t i = 0; i < plan->listen_count; i++) {
		int fd = udp_open(&plan->listen[i], true, LISTENER_BUFFER);
		int err = fd < 0 ? fd : conductor_listen(worker->conductor, &plan->listen[i], fd);

		if (err < 0) {
			log_error("worker: cannot listen addr=udp:%s err=%s%s",
				  ADDR_TEXT(&plan->listen[i]), strerror(-err),
				  err == -EACCES
					  ? " remedy=\"CAP_NET_BIND_SERVICE for ports below 1024\""
					  : "");
			return err;
		}
	}
	return 0;
}

/* Adds a persistent event; every is NULL for descriptors. */
static int add_event(struct worker *worker, int fd, event_callback_fn fn,
		     const struct timeval *every, struct event **ret)
{
	short what = (short)(EV_PERSIST | (every ? 0 : EV_READ));

	*ret = event_new(worker->base, fd, what, fn, worker);
	return *ret && event_add(*ret, every) == 0 ? 0 : -ENOMEM;
}

static int add_events(struct worker *worker)
{
	static const struct timeval tick = {.tv_usec = TICK_MS * 1000};
	int err = 0;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, worker->mailbox) < 0)
		return -errno;
	err = add_event(worker, worker->mailbox[0], on_mail, NULL, &worker->mail);
	if (err == 0)
		err = add_event(worker, -1, on_tick, &tick, &worker->tick);
	if (err == 0 && flows_fd(worker->flows) >= 0)
		err = add_event(worker, flows_fd(worker->flows), on_netlink, NULL,
				&worker->netlink);
	return err;
}

static int build(struct worker *worker, const struct worker_config *config)
{
	int err;

	worker->base = event_base_new();
	if (!worker->base)
		return -ENOMEM;
	err = turn_new(config->turn, &worker->turn);
	if (err < 0)
		return err;
	err = flows_new(&(struct flows_config){.kernel = config->kernel,
					       .worker = config->index,
					       .next_hops = config->next_hops,
					       .buckets = config->buckets,
					       .bandwidth_bps = config->turn->bandwidth_bps},
			&worker->flows);
	if (err < 0) {
		log_error("worker: kernel flows cannot be set up err=%s", strerror(-err));
		return err;
	}
	err = conductor_new(worker->base, worker->turn, worker->flows, &worker->conductor);
	if (err < 0)
		return err;
	err = open_listeners(worker, config->plan);
	return err < 0 ? err : add_events(worker);
}

/* Signals are the main thread's. */
static int start_thread(struct worker *worker)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = -pthread_create(&worker->thread, NULL, worker_main, worker);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	worker->running = err == 0;
	return err;
}

int worker_start(const struct worker_config *config, struct worker **ret)
{
	struct worker *worker = calloc(1, sizeof(*worker));
	int err;

	if (!worker)
		return -ENOMEM;
	worker->index = config->index;
	worker->mailbox[0] = worker->mailbox[1] = -1;
	shortage_init(&worker->shortage, config->plan->relay.first, config->plan->relay.last,
		      config->turn->allocations_max);
	err = build(worker, config);
	if (err == 0)
		err = start_thread(worker);
	if (err < 0) {
		worker_stop(&worker);
		return err;
	}
	*ret = worker;
	return 0;
}

static void free_event(struct event *event)
{
	if (event)
		event_free(event);
}

void worker_stop(struct worker **worker)
{
	struct worker *w = *worker;

	if (!w)
		return;
	if (w->running && worker_call(w, NULL, NULL) == 0)
		pthread_join(w->thread, NULL);
	free_event(w->mail);
	free_event(w->tick);
	free_event(w->netlink);
	/* Flows die before the ports they lead to are closed. */
	flows_free(&w->flows);
	conductor_free(&w->conductor);
	turn_free(&w->turn);
	if (w->base)
		event_base_free(w->base);
	cleanup_close(&w->mailbox[0]);
	cleanup_close(&w->mailbox[1]);
	free(w);
	*worker = NULL;
}
