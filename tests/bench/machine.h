/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What figures depend on besides the program: machine, kernel, mitigations, compilers.
 */
#ifndef TURNPIKE_TESTS_MACHINE_H
#define TURNPIKE_TESTS_MACHINE_H

#include <jansson.h>

/* An object of strings and numbers; the caller's. */
json_t *machine_describe(void);

#endif
