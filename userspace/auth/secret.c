/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Comparing and wiping of secrets, by OpenSSL. See secret.h.
 */
#include "auth/secret.h"

#include <openssl/crypto.h>

bool secret_equal(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || CRYPTO_memcmp(a.data, b.data, a.len) == 0);
}

void secret_wipe(void *data, size_t len)
{
	OPENSSL_cleanse(data, len);
}
