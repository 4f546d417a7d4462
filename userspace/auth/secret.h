/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Handling of bytes that nobody else may learn: comparing without telling how much was right,
 * and wiping that the compiler may not leave out.
 */
#ifndef TURNPIKE_AUTH_SECRET_H
#define TURNPIKE_AUTH_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

/* Takes as long for equal as for different bytes. Lengths are no secret: different is false. */
bool secret_equal(struct span a, struct span b);

void secret_wipe(void *data, size_t len);

#endif
