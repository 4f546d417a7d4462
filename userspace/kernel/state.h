/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a struct kernel is made of; for the files of this folder only.
 */
#ifndef TURNPIKE_KERNEL_STATE_H
#define TURNPIKE_KERNEL_STATE_H

#include <limits.h>
#include <pthread.h>

#include "kernel/kernel.h"
#include "kernel/next_hops.h"

struct turnpike_bpf;

/* A pinned bpf_link on one interface. */
struct kernel_link {
	int fd;		      /* -1: not attached */
	unsigned int ifindex; /* where it is, or was tried last; 0: there was no such interface */
	bool blocked;	      /* by another program */
	char pin[PATH_MAX];
};

struct kernel {
	struct turnpike_bpf *program; /* NULL: the null twin, and all below is empty */
	struct kernel_options options;
	char *pin_path; /* what options.pin_path points to */
	int folder;	/* holds the pin folder, see folder.h; -1: it is not ours */

	struct flow_slot *slots; /* the map itself */
	size_t slots_len;
	struct flow_next_hop *next_hop_map;
	size_t next_hop_len;
	struct flow_bucket *buckets;
	size_t buckets_len;

	pthread_mutex_t hops_lock; /* of what follows here: every worker publishes hops */
	struct next_hops *next_hops;
	struct flow_next_hop_entry *wanted_hops; /* by id: valid over whatever interface */
	unsigned int *carriers;			 /* indices of interfaces with the program */
	size_t carrier_count;

	uint32_t *generations; /* the last one of each slot; a worker touches its own range */

	/* One for each interface that was asked for; links[i] belongs to attachments[i]. */
	struct kernel_attachment *attachments;
	struct kernel_link *links;
	size_t attachment_count;
	/* Links of an earlier daemon that nobody has asked for yet. */
	struct kernel_link *inherited;
	size_t inherited_count;
};

#endif
