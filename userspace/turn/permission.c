/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Permissions, RFC 8656 9 and 10: which IP addresses may send to a relay, for five minutes each.
 * CreatePermission is all or nothing. Only requests refresh a permission, data never does.
 */
#include <stdlib.h>

#include "turn/state.h"

struct permission *permission_find(const struct allocation *a, const struct addr *peer)
{
	struct addr key = *peer;
	struct permission *p;

	key.port = 0;
	HASH_FIND(hh, a->permissions, &key, sizeof(key), p);
	return p;
}

struct permission *permission_make(struct turn *turn, struct allocation *a, const struct addr *peer,
				   bool own)
{
	struct permission *p = permission_find(a, peer);

	if (p)
		return p;
	if (HASH_COUNT(a->permissions) >= turn->config.permissions_per_allocation) {
		turn->counters.refused_permissions++;
		return NULL;
	}
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->peer = *peer;
	p->peer.port = 0;
	p->own = own;
	if (ids_take(&turn->grant_ids, turn_grant_limit(turn), &p->grant) < 0) {
		free(p);
		return NULL;
	}
	HASH_ADD(hh, a->permissions, peer, sizeof(p->peer), p);
	if (!p->hh.tbl) {
		ids_give(&turn->grant_ids, p->grant);
		free(p);
		return NULL;
	}
	return p;
}

void permission_refresh(struct turn *turn, struct allocation *a, struct permission *p,
			uint64_t now_ns)
{
	p->expires_ns = now_ns + TURN_PERMISSION_LIFETIME_S * NSEC_PER_SEC;
	timer_bring_forward(turn, a, p->expires_ns);
}

void permission_free(struct turn *turn, struct allocation *a, struct permission *p,
		     struct turn_actions *out)
{
	publish_end_of_grant(p, out);
	ids_give(&turn->grant_ids, p->grant);
	HASH_DELETE(hh, a->permissions, p);
	free(p);
}

/* One peer of the request, without effect. 0 or the error code, 403 with the rule. */
static unsigned int check_peer(struct request *r, struct span value, const char **ret_rule)
{
	struct addr peer;

	if (stun_read_xor_address(&r->message, value, &peer) < 0)
		return 400;
	if (!allocation_relay(r->allocation, peer.family))
		return 443;
	*ret_rule = peer_denied(r->turn, &peer);
	return *ret_rule ? 403 : 0;
}

static unsigned int check_peers(struct request *r, const char **ret_rule)
{
	struct stun_attr attr;
	bool found = false;

	stun_foreach (&r->message, at, &attr) {
		unsigned int code;

		if (attr.type != STUN_ATTR_XOR_PEER_ADDRESS)
			continue;
		found = true;
		code = check_peer(r, attr.value, ret_rule);
		if (code)
			return code;
	}
	return found ? 0 : 400;
}

/* Those that were made for this request and cannot all be: they have no expiry yet. */
static void roll_back(struct request *r)
{
	struct permission *p, *next;

	HASH_ITER (hh, r->allocation->permissions, p, next)
		if (!p->expires_ns)
			permission_free(r->turn, r->allocation, p, r->out);
}

/* The i-th pass over the checked peers: first make what is missing, then refresh all. */
static bool each_peer(struct request *r, bool refresh)
{
	struct stun_attr attr;

	stun_foreach (&r->message, at, &attr) {
		struct addr peer;
		struct permission *p;
		bool own;

		if (attr.type != STUN_ATTR_XOR_PEER_ADDRESS ||
		    stun_read_xor_address(&r->message, attr.value, &peer) < 0)
			continue;
		peer = peer_internal(r->turn, &peer, &own);
		p = permission_make(r->turn, r->allocation, &peer, own);
		if (!p)
			return false;
		if (refresh)
			permission_refresh(r->turn, r->allocation, p, r->now->mono_ns);
	}
	return true;
}

void permission_request(struct request *r)
{
	const char *rule = NULL;
	unsigned int code = check_peers(r, &rule);

	if (code) {
		answer_error(r->turn, &r->envelope, code, rule, r->out);
		return;
	}
	if (!each_peer(r, false)) {
		roll_back(r);
		answer_error(r->turn, &r->envelope, 508, NULL, r->out);
		return;
	}
	each_peer(r, true);
	publish_all(r->turn, r->allocation, r->out);
	repeat_remember(r, 0);
	answer_success(r, 0);
}
