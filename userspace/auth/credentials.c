/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of static long-term credentials: names to keys. See credentials.h. Passwords pass
 * through and are not kept. Names are not prepared (RFC 8265): they match byte for byte.
 */
#include "auth/credentials.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "auth/secret.h"
#include "base/cleanup.h"

/* A table that cannot grow is an error to return, not a reason to exit. */
#define HASH_NONFATAL_OOM 1
/* The default one falls through in a switch, which clang warns of. */
#define HASH_FUNCTION	  HASH_FNV
#include <uthash.h>

struct entry {
	struct credentials_user user;
	UT_hash_handle hh;
	char name[]; /* and a terminator */
};

struct credentials {
	struct entry *by_name;
	char realm[CREDENTIALS_REALM_MAX + 1];
};

static void md_ctx_free(EVP_MD_CTX **ctx)
{
	EVP_MD_CTX_free(*ctx);
}

int credentials_derive_key(struct span name, struct span realm, struct span password,
			   uint8_t ret[static CREDENTIALS_KEY_LEN])
{
	CLEANUP(md_ctx_free) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t key[EVP_MAX_MD_SIZE];
	unsigned int len = 0;

	if (!ctx || !EVP_DigestInit_ex(ctx, EVP_md5(), NULL) ||
	    !EVP_DigestUpdate(ctx, name.data, name.len) || !EVP_DigestUpdate(ctx, ":", 1) ||
	    !EVP_DigestUpdate(ctx, realm.data, realm.len) || !EVP_DigestUpdate(ctx, ":", 1) ||
	    !EVP_DigestUpdate(ctx, password.data, password.len) ||
	    !EVP_DigestFinal_ex(ctx, key, &len) || len != CREDENTIALS_KEY_LEN)
		return -EIO;
	memcpy(ret, key, CREDENTIALS_KEY_LEN);
	secret_wipe(key, sizeof(key));
	return 0;
}

static void entry_free(struct entry **e)
{
	if (*e)
		secret_wipe((*e)->user.key, sizeof((*e)->user.key));
	free(*e);
	*e = NULL;
}

int credentials_new(const char *realm, struct credentials **ret)
{
	size_t len = strlen(realm);
	struct credentials *c;

	if (len == 0 || len > CREDENTIALS_REALM_MAX)
		return -EINVAL;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	memcpy(c->realm, realm, len);
	*ret = c;
	return 0;
}

void credentials_free(struct credentials **c)
{
	struct entry *e, *next;

	if (!*c)
		return;
	HASH_ITER (hh, (*c)->by_name, e, next) {
		HASH_DELETE(hh, (*c)->by_name, e);
		entry_free(&e);
	}
	free(*c);
	*c = NULL;
}

int credentials_add(struct credentials *c, const char *name, const char *password)
{
	CLEANUP(entry_free) struct entry *e = NULL;
	size_t len = strlen(name);
	int err;

	if (len == 0 || len > CREDENTIALS_NAME_MAX || password[0] == '\0')
		return -EINVAL;
	if (credentials_find(c, span_make(name, len)))
		return -EEXIST;
	e = calloc(1, sizeof(*e) + len + 1);
	if (!e)
		return -ENOMEM;
	memcpy(e->name, name, len);
	e->user.name = e->name;
	e->user.index = credentials_count(c);
	err = credentials_derive_key(span_make(name, len), span_of(c->realm), span_of(password),
				     e->user.key);
	if (err)
		return err;
	HASH_ADD_KEYPTR(hh, c->by_name, e->name, len, e);
	/* uthash leaves this behind when it could not add. */
	if (!e->hh.tbl)
		return -ENOMEM;
	TAKE_PTR(e);
	return 0;
}

const struct credentials_user *credentials_find(const struct credentials *c, struct span name)
{
	struct entry *e = NULL;

	if (name.len == 0 || name.len > CREDENTIALS_NAME_MAX)
		return NULL;
	HASH_FIND(hh, c->by_name, name.data, name.len, e);
	return e ? &e->user : NULL;
}

const char *credentials_realm(const struct credentials *c)
{
	return c->realm;
}

uint32_t credentials_count(const struct credentials *c)
{
	return HASH_COUNT(c->by_name);
}
