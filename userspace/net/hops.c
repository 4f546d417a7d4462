/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of next hops. See hops.h.
 */
#include "net/hops.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/macros.h"

/* Out of memory is an error of the call, not the end of the process. */
#define HASH_NONFATAL_OOM	     1
#define uthash_nonfatal_oom(element) (element)->hashed = false
#include <uthash.h>

#define VLAN_TAG_LEN 4

struct link {
	struct link_facts facts;
	bool hashed;
	bool seen; /* in this resync */
	UT_hash_handle hh;
};

struct hop;

struct neighbour {
	struct neigh_facts facts;
	struct hop *hops;
	bool hashed;
	bool seen;
	UT_hash_handle hh;
};

struct hop {
	struct hop_key key;
	struct net_hop content; /* as last told */
	struct neighbour *neighbour;
	struct hop *sibling; /* the next that leads to this neighbour */
	uint32_t references; /* 0: free */
	bool hashed;
	UT_hash_handle hh;
};

struct hops {
	struct hop *by_id; /* first_id at 0 */
	struct hop *by_key;
	struct neighbour *neighbours;
	struct link *links;
	uint32_t *free_ids; /* a ring; the id that has been free for longest comes first */
	uint32_t free_first;
	uint32_t free_count;
	uint32_t first_id;
	uint32_t max;
	uint32_t probe_at; /* where hops_next_probe goes on */
	bool resyncing;
	void (*changed)(void *ctx, uint32_t id, const struct net_hop *hop);
	void *ctx;
};

int hops_new(uint32_t first_id, uint32_t max,
	     void (*changed)(void *ctx, uint32_t id, const struct net_hop *hop), void *ctx,
	     struct hops **ret)
{
	_cleanup_free_ struct hops *hops = calloc(1, sizeof(*hops));

	if (!hops)
		return -ENOMEM;
	*hops = (struct hops){.first_id = first_id, .max = max, .changed = changed, .ctx = ctx};
	hops->by_id = calloc(max, sizeof(*hops->by_id));
	hops->free_ids = calloc(max, sizeof(*hops->free_ids));
	if (!hops->by_id || !hops->free_ids) {
		free(hops->by_id);
		free(hops->free_ids);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < max; i++)
		hops->free_ids[i] = first_id + i;
	hops->free_count = max;
	*ret = TAKE_PTR(hops);
	return 0;
}

void hops_free(struct hops **pointer)
{
	struct hops *hops = *pointer;
	struct neighbour *neighbour, *next_neighbour;
	struct link *link, *next_link;

	*pointer = NULL;
	if (!hops)
		return;
	HASH_CLEAR(hh, hops->by_key);
	HASH_ITER (hh, hops->neighbours, neighbour, next_neighbour) {
		HASH_DEL(hops->neighbours, neighbour);
		free(neighbour);
	}
	HASH_ITER (hh, hops->links, link, next_link) {
		HASH_DEL(hops->links, link);
		free(link);
	}
	free(hops->by_id);
	free(hops->free_ids);
	free(hops);
}

static struct hop *hop_by_id(const struct hops *hops, uint32_t id)
{
	ASSERT(id >= hops->first_id && id - hops->first_id < hops->max);
	ASSERT(hops->by_id[id - hops->first_id].references > 0);
	return &hops->by_id[id - hops->first_id];
}

static uint32_t hop_id(const struct hops *hops, const struct hop *hop)
{
	return hops->first_id + (uint32_t)(hop - hops->by_id);
}

static struct link *find_link(const struct hops *hops, unsigned int ifindex)
{
	struct link *link;

	HASH_FIND(hh, hops->links, &ifindex, sizeof(ifindex), link);
	return link;
}

static bool is_usable(const struct link *link)
{
	return link && link->facts.link.up && link->facts.ethernet;
}

static void add_outer_tag(struct net_hop *content, struct net_tag tag)
{
	memmove(&content->tag[1], &content->tag[0], sizeof(content->tag) - sizeof(tag));
	content->tag[0] = tag;
	content->tags++;
}

/*
 * Goes down from a link through its VLANs to the device that transmits, and adds what they have to
 * say to the content: index, tags, MTU. False if a level is missing or down, or if there are too
 * many.
 *
 * A driver lets a frame be one tag longer than its MTU and the Ethernet header (and so does the
 * kernel where a program redirects to it), but not two.
 */
static bool descend(const struct hops *hops, const struct link *link, struct net_hop *content)
{
	content->mtu = link->facts.link.mtu;
	for (; link->facts.vlan; content->mtu = MIN(content->mtu, link->facts.link.mtu)) {
		if (content->tags == NET_TAGS_MAX)
			return false;
		add_outer_tag(content, link->facts.tag);
		link = find_link(hops, link->facts.below);
		if (!is_usable(link))
			return false;
	}
	content->ifindex = link->facts.link.ifindex;
	if (content->tags > 1)
		content->mtu = MIN(content->mtu, link->facts.link.mtu - VLAN_TAG_LEN);
	return true;
}

/* A hop that cannot be used says nothing but so: its MTU and addresses changing is no news. */
static struct net_hop hop_content(const struct hops *hops, const struct hop *hop)
{
	const struct link *link = find_link(hops, hop->key.neigh.ifindex);
	const struct net_hop nothing = {.ifindex = hop->key.neigh.ifindex};
	struct net_hop content = {0};

	if (!is_usable(link) || !neigh_is_usable(&hop->neighbour->facts) ||
	    !descend(hops, link, &content))
		return nothing;
	if (hop->key.family == ADDR_IPV6 && link->facts.mtu6)
		content.mtu = MIN(content.mtu, link->facts.mtu6);
	if (hop->key.route_mtu)
		content.mtu = MIN(content.mtu, hop->key.route_mtu);
	/* A VLAN device may have an address that is not that of the link below. */
	memcpy(content.src_mac, link->facts.link.mac, sizeof(content.src_mac));
	memcpy(content.dst_mac, hop->neighbour->facts.mac, sizeof(content.dst_mac));
	content.valid = true;
	return content;
}

static bool content_equal(const struct net_hop *a, const struct net_hop *b)
{
	return a->ifindex == b->ifindex && a->mtu == b->mtu && a->valid == b->valid &&
	       a->tags == b->tags && memcmp(a->tag, b->tag, sizeof(a->tag)) == 0 &&
	       memcmp(a->src_mac, b->src_mac, sizeof(a->src_mac)) == 0 &&
	       memcmp(a->dst_mac, b->dst_mac, sizeof(a->dst_mac)) == 0;
}

static void refresh(struct hops *hops, struct hop *hop)
{
	struct net_hop content;

	if (hops->resyncing)
		return;
	content = hop_content(hops, hop);
	if (content_equal(&content, &hop->content))
		return;
	hop->content = content;
	hops->changed(hops->ctx, hop_id(hops, hop), &hop->content);
}

/* Whether the hop's packets pass the link, as a VLAN or as the device below. */
static bool passes(const struct hops *hops, const struct hop *hop, unsigned int ifindex)
{
	unsigned int at = hop->key.neigh.ifindex;

	for (int level = 0; level <= NET_TAGS_MAX && at; level++) {
		const struct link *link;

		if (at == ifindex)
			return true;
		link = find_link(hops, at);
		at = link && link->facts.vlan ? link->facts.below : 0;
	}
	return false;
}

/* The hops over one link, or all of them for 0. */
static void refresh_link(struct hops *hops, unsigned int ifindex)
{
	for (uint32_t i = 0; i < hops->max; i++) {
		struct hop *hop = &hops->by_id[i];

		if (hop->references && (!ifindex || passes(hops, hop, ifindex)))
			refresh(hops, hop);
	}
}

static struct neighbour *find_neighbour(const struct hops *hops, const struct neigh_key *key)
{
	struct neighbour *neighbour;

	HASH_FIND(hh, hops->neighbours, key, sizeof(*key), neighbour);
	return neighbour;
}

static struct neighbour *neighbour_get(struct hops *hops, const struct neigh_facts *facts)
{
	struct neighbour *neighbour = find_neighbour(hops, &facts->key);

	if (neighbour)
		return neighbour;
	neighbour = calloc(1, sizeof(*neighbour));
	if (!neighbour)
		return NULL;
	neighbour->facts = *facts;
	neighbour->hashed = true;
	HASH_ADD(hh, hops->neighbours, facts.key, sizeof(facts->key), neighbour);
	if (!neighbour->hashed) {
		free(neighbour);
		return NULL;
	}
	return neighbour;
}

static void neighbour_put(struct hops *hops, struct neighbour *neighbour)
{
	if (neighbour->hops)
		return;
	HASH_DEL(hops->neighbours, neighbour);
	free(neighbour);
}

uint32_t hops_find(struct hops *hops, const struct hop_key *key)
{
	struct hop *hop;

	HASH_FIND(hh, hops->by_key, key, sizeof(*key), hop);
	if (!hop)
		return 0;
	hop->references++;
	return hop_id(hops, hop);
}

int hops_add(struct hops *hops, const struct hop_key *key, const struct neigh_facts *neigh,
	     uint32_t *ret_id)
{
	struct neighbour *neighbour;
	struct hop *hop;

	if (!hops->free_count)
		return -ENOSPC;
	neighbour = neighbour_get(hops, neigh);
	if (!neighbour)
		return -ENOMEM;
	hop = &hops->by_id[hops->free_ids[hops->free_first] - hops->first_id];
	*hop = (struct hop){.key = *key, .neighbour = neighbour, .hashed = true};
	HASH_ADD(hh, hops->by_key, key, sizeof(hop->key), hop);
	if (!hop->hashed) {
		neighbour_put(hops, neighbour);
		return -ENOMEM;
	}
	hops->free_first = (hops->free_first + 1) % hops->max;
	hops->free_count--;
	hop->references = 1;
	hop->sibling = neighbour->hops;
	neighbour->hops = hop;
	hop->content = hop_content(hops, hop);
	*ret_id = hop_id(hops, hop);
	hops->changed(hops->ctx, *ret_id, &hop->content);
	return 0;
}

void hops_release(struct hops *hops, uint32_t id)
{
	struct hop *hop = hop_by_id(hops, id);
	struct hop **at = &hop->neighbour->hops;

	if (--hop->references)
		return;
	while (*at != hop)
		at = &(*at)->sibling;
	*at = hop->sibling;
	neighbour_put(hops, hop->neighbour);
	HASH_DEL(hops->by_key, hop);
	hops->free_ids[(hops->free_first + hops->free_count) % hops->max] = id;
	hops->free_count++;
}

void hops_get(const struct hops *hops, uint32_t id, struct net_hop *ret)
{
	*ret = hop_by_id(hops, id)->content;
}

bool hops_set_link(struct hops *hops, const struct link_facts *facts)
{
	struct link *link = find_link(hops, facts->link.ifindex);
	bool was_up = link && link->facts.link.up;

	if (!link) {
		link = calloc(1, sizeof(*link));
		if (!link)
			return true;
		link->facts = *facts;
		link->hashed = true;
		HASH_ADD(hh, hops->links, facts.link.ifindex, sizeof(facts->link.ifindex), link);
		if (!link->hashed) {
			free(link);
			return true;
		}
	}
	link->facts = *facts;
	link->seen = true;
	refresh_link(hops, facts->link.ifindex);
	return was_up != facts->link.up;
}

bool hops_remove_link(struct hops *hops, unsigned int ifindex)
{
	struct link *link = find_link(hops, ifindex);

	if (!link)
		return false;
	HASH_DEL(hops->links, link);
	free(link);
	refresh_link(hops, ifindex);
	return true;
}

void hops_set_neigh(struct hops *hops, const struct neigh_facts *facts)
{
	struct neighbour *neighbour = find_neighbour(hops, &facts->key);

	if (!neighbour)
		return;
	neighbour->facts = *facts;
	neighbour->seen = true;
	for (struct hop *hop = neighbour->hops; hop; hop = hop->sibling)
		refresh(hops, hop);
}

void hops_begin_resync(struct hops *hops)
{
	hops->resyncing = true;
	for (struct neighbour *n = hops->neighbours; n; n = n->hh.next)
		n->seen = false;
	for (struct link *l = hops->links; l; l = l->hh.next)
		l->seen = false;
}

static void forget_unseen(struct hops *hops)
{
	struct link *link, *next;

	for (struct neighbour *n = hops->neighbours; n; n = n->hh.next)
		if (!n->seen)
			n->facts = (struct neigh_facts){.key = n->facts.key};
	HASH_ITER (hh, hops->links, link, next) {
		if (link->seen)
			continue;
		HASH_DEL(hops->links, link);
		free(link);
	}
}

void hops_end_resync(struct hops *hops, bool complete)
{
	if (complete)
		forget_unseen(hops);
	hops->resyncing = false;
	refresh_link(hops, 0);
}

bool hops_next_probe(struct hops *hops, uint32_t *looks, struct neigh_key *ret)
{
	while (*looks) {
		const struct hop *hop = &hops->by_id[hops->probe_at];
		const struct link *link;

		(*looks)--;
		hops->probe_at = (hops->probe_at + 1) % hops->max;
		if (!hop->references || !neigh_wants_probe(&hop->neighbour->facts))
			continue;
		link = find_link(hops, hop->key.neigh.ifindex);
		if (!link || !link->facts.link.up || !link->facts.ethernet)
			continue;
		*ret = hop->key.neigh;
		return true;
	}
	return false;
}

uint32_t hops_max(const struct hops *hops)
{
	return hops->max;
}
