/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Own addresses as they change. See own_addresses.h.
 */
#include "daemon/own_addresses.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "net/net.h"

/* What could not be read, or given to a worker, is tried again after that without any news. */
#define RETRY_S 10

struct own_addresses {
	struct worker *const *workers;
	size_t worker_count;
	struct addr *list;
	size_t count;
	int fd;
	struct event *event;
};

struct news {
	const struct addr *list;
	size_t count;
	int err;
};

static void give_to_worker(const struct worker_parts *parts, void *arg)
{
	struct news *news = arg;

	news->err = conductor_set_own(parts->conductor, news->list, news->count);
}

/* All workers are told, whether or not one of them fails. */
static int give_to_workers(const struct own_addresses *own, const struct addr *list, size_t count)
{
	int err = 0;

	for (size_t i = 0; i < own->worker_count; i++) {
		struct news news = {.list = list, .count = count};
		int called;

		if (!own->workers[i])
			continue;
		called = worker_call(own->workers[i], give_to_worker, &news);
		if (called < 0 || news.err < 0)
			err = called < 0 ? called : news.err;
	}
	return err;
}

static bool is_known(const struct own_addresses *own, const struct addr *list, size_t count)
{
	return count == own->count && memcmp(list, own->list, count * sizeof(*list)) == 0;
}

/* A router's advertisements renew lifetimes all the time: only another list is news. */
static int refresh(struct own_addresses *own)
{
	_cleanup_free_ struct addr *list = NULL;
	size_t count;
	int err = net_list_own(&list, &count);

	if (err < 0 || is_known(own, list, count))
		return err;
	err = give_to_workers(own, list, count);
	if (err < 0)
		return err;
	log_info("peers: the host's own addresses changed, they are no peers count=%zu", count);
	free(own->list);
	own->list = TAKE_PTR(list);
	own->count = count;
	return 0;
}

/* Also when nothing was heard for a while, so that no failure lasts. */
static void on_addresses(evutil_socket_t fd, short what, void *arg)
{
	struct own_addresses *own = arg;
	int err;

	if (what & EV_READ)
		net_addresses_changed(fd);
	err = refresh(own);
	if (err < 0)
		log_error("peers: the host's own addresses cannot be followed err=%s",
			  strerror(-err));
}

int own_addresses_open(struct event_base *base, struct worker *const *workers, size_t count,
		       struct own_addresses **ret)
{
	static const struct timeval retry = {.tv_sec = RETRY_S};
	struct own_addresses *own = calloc(1, sizeof(*own));
	int err;

	if (!own)
		return -ENOMEM;
	own->workers = workers;
	own->worker_count = count;
	own->fd = -1;
	err = net_watch_addresses(&own->fd);
	if (err == 0)
		err = net_list_own(&own->list, &own->count);
	if (err == 0) {
		own->event = event_new(base, own->fd, EV_READ | EV_PERSIST, on_addresses, own);
		err = own->event && event_add(own->event, &retry) == 0 ? 0 : -ENOMEM;
	}
	if (err < 0) {
		own_addresses_close(&own);
		return err;
	}
	*ret = own;
	return 0;
}

void own_addresses_close(struct own_addresses **own)
{
	struct own_addresses *o = *own;

	if (!o)
		return;
	if (o->event)
		event_free(o->event);
	cleanup_close(&o->fd);
	free(o->list);
	free(o);
	*own = NULL;
}

const struct addr *own_addresses_list(const struct own_addresses *own, size_t *ret_count)
{
	*ret_count = own->count;
	return own->list;
}
