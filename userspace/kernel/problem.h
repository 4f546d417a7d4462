/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sentences for people: what went wrong with the kernel path, and what to do about it. The one
 * place that guesses causes from error codes. Changes nothing.
 */
#ifndef TURNPIKE_KERNEL_PROBLEM_H
#define TURNPIKE_KERNEL_PROBLEM_H

#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "kernel/kernel.h"

/* Sends libbpf's own output to our log, at debug level, and remembers its first warning. */
void problem_listen_to_libbpf(void);

/* Returns err, so that it can stand in a return statement. */
int problem_set(struct kernel_problem *problem, int err, const char *format, ...) PRINTF_LIKE(3, 4);

/* Why the program or its maps could not be loaded. Returns err. */
int problem_of_load(struct kernel_problem *problem, int err, uint32_t slots);

/* Why a driver refused XDP, with the remedy that its error code suggests. */
void problem_of_native(const char *ifname, int err, char *ret, size_t size);
/* Why there is no XDP at all on an interface. */
void problem_of_attach(const char *mode, int err, char *ret, size_t size);
/* Which program is in the way: its id and name. */
void problem_of_other_program(uint32_t id, char *ret, size_t size);

/* Those of CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON that this process lacks; empty if none. */
void problem_missing_capabilities(char *ret, size_t size);

#endif
