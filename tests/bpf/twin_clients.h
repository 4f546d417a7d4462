/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The clients of the differential test's relay: what they ask for, and when.
 */
#ifndef TURNPIKE_TESTS_TWIN_CLIENTS_H
#define TURNPIKE_TESTS_TWIN_CLIENTS_H

#include "twin_world.h"

#define TWIN_REALM     "example.org"
#define TWIN_USER      "alice"
#define TWIN_PASSWORD  "alice-password"
#define TWIN_NONCE_KEY 0x5a

/* Fills in clients and peers, and with them turn and the maps. */
void twin_clients_populate(struct twin_world *world);

#endif
