/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel path as the daemon sees it: load, attach, pin, own addresses, next hops, counters.
 * One struct kernel per process. It belongs to the thread that opened it, which attaches and owns;
 * afterwards workers share it, each with a flow table of its own (kernel/flow_table.h) and each
 * publishing hops of its own ids. Knows nothing of TURN.
 *
 * With mode off, or where nothing could be loaded, kernel_open gives the null twin: every call
 * works and does nothing, flow_table_add says -EOPNOTSUPP.
 */
#ifndef TURNPIKE_KERNEL_KERNEL_H
#define TURNPIKE_KERNEL_KERNEL_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "net/net.h"
#include "turnpike/flow.h"

/* X(constant, name in configuration and output) */
#define KERNEL_MODES(X)       \
	X(OFF, "off")         \
	X(GENERIC, "generic") \
	X(NATIVE, "native")   \
	X(AUTO, "auto")

enum kernel_mode {
#define X(constant, name) KERNEL_MODE_##constant,
	KERNEL_MODES(X)
#undef X
	KERNEL_MODE_MAX,
};

const char *kernel_mode_name(enum kernel_mode mode);

struct kernel_options {
	enum kernel_mode mode;
	const char *pin_path;
	uint32_t slots;	    /* flows: two per channel, one per sender and per permission */
	uint32_t next_hops; /* ids 1 to next_hops - 1 */
	uint32_t buckets;   /* ids 1 to buckets - 1; 0: none */
	uint32_t workers;
};

/* Why something did not work and what to do about it, for people. One line. */
struct kernel_problem {
	char text[256];
};

struct kernel;

/*
 * Loads the program and pins its maps. A bpffs that is not mounted at the pin path's top is
 * mounted. The pin folder is held by a lock until kernel_close or kernel_leave, or until the
 * process dies. Pins that a dead daemon left there are replaced; its links to interfaces of this
 * network namespace are kept to be taken over by kernel_attach, others are detached.
 * Returns 0; -EBUSY if a living daemon holds the folder, of which nothing is touched; or -errno and
 * a problem that names the thing and the remedy, after which the caller goes on with
 * kernel_open_null.
 */
int kernel_open(const struct kernel_options *options, struct kernel **ret,
		struct kernel_problem *ret_problem);
int kernel_open_null(struct kernel **ret);
/*
 * Detaches, unpins, removes the pin folder if it is empty; flow tables are freed before. A bpffs
 * that was mounted stays. Takes NULL.
 */
void kernel_close(struct kernel **kernel);
/*
 * Lets go without a trace: interfaces stay attached, flows go on until they expire, pins stay for
 * the next kernel_open to take over. As if the process had died. Flow tables are left before
 * (flow_table_leave). Takes NULL.
 */
void kernel_leave(struct kernel **kernel);
bool kernel_is_null(const struct kernel *kernel);

struct kernel_attachment {
	char name[IF_NAMESIZE];
	unsigned int ifindex;
	enum kernel_mode mode; /* OFF, GENERIC or NATIVE: what it got */
	char reason[256];      /* why not better; empty if it is what was asked for */
};

/*
 * Attaches to one interface by a pinned bpf_link: native, then generic if the mode is auto. Never
 * replaces another's program. The result is filled in either way; its reason names the program
 * that is in the way. An interface once attached is also one that next hops may lead to.
 * A link that an earlier daemon left is taken over in place. A pin folder that has vanished is made
 * again, with all pins. Where some interfaces are native and
 * others generic, only the native ones are redirected to: see attach.c.
 * Returns 0, or -errno if it stays without.
 */
int kernel_attach(struct kernel *kernel, const char *ifname, struct kernel_attachment *ret);
/* After the last kernel_attach: lets go of interfaces that only an earlier daemon was attached to.
 */
void kernel_attach_done(struct kernel *kernel);
/*
 * After links of the host changed (net_links_changed): attaches to interfaces that were asked for
 * and are there only now, again to those that vanished and came back, and to those whose other
 * program is gone; lets go of those that vanished or got another name. Hops that were published
 * before become valid or invalid with their interface. True if anything changed. For the thread
 * that attached.
 */
bool kernel_refresh_attachments(struct kernel *kernel);
/*
 * All that were asked for, those that stayed without too. Valid until the next kernel_attach or
 * kernel_refresh_attachments.
 */
size_t kernel_attachments(const struct kernel *kernel, const struct kernel_attachment **ret);

/*
 * Declares an address the relay's: listen_port 0 and an empty range (0, 0) add nothing. Calls for
 * one address add up. 0; -ENOSPC beyond FLOW_LISTEN_PORTS ports or the map's size; -EEXIST if the
 * address has another range already; -EINVAL for a range that ends before it begins.
 */
int kernel_own(struct kernel *kernel, const struct addr *ip, uint16_t listen_port,
	       uint16_t relay_first, uint16_t relay_last);

/*
 * Publishes a hop under its id. A hop over an interface that is not attached stays invalid until
 * it is.
 * A change that comes within FLOW_GRACE_NS of the one before makes the hop invalid at once and is
 * published by kernel_settle when its time has come. Any thread may call.
 */
void kernel_set_next_hop(struct kernel *kernel, uint32_t id, const struct net_hop *hop);
/*
 * Publishes hops that had to wait; now_ns is CLOCK_MONOTONIC. Returns when to call it again, 0 if
 * nothing waits: ask after the hops changed, or by a timer. Cheap if nothing waits. Any thread may
 * call.
 */
uint64_t kernel_settle(struct kernel *kernel, uint64_t now_ns);

/*
 * Gives a bucket its rate and a full burst: each way, data may come up to burst_ms ahead of its
 * time. bits_per_second 0 is no limit. For ids of its own any thread may call.
 */
void kernel_set_bucket(struct kernel *kernel, uint32_t id, uint64_t bits_per_second,
		       uint32_t burst_ms);

/* Sums over all CPUs. 0 or -errno; zeros from the null twin. */
int kernel_read_stats(const struct kernel *kernel, struct flow_stats *ret);

#endif
