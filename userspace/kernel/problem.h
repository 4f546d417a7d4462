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

/*
 * Sends libbpf's warnings and information to our log, at debug level, and remembers its first
 * warning. What it has to say for those who debug libbpf is left out.
 */
void problem_listen_to_libbpf(void);

/* Returns err, so that it can stand in a return statement. */
int problem_set(struct kernel_problem *problem, int err, const char *format, ...) PRINTF_LIKE(3, 4);

/*
 * Why the program or its maps could not be loaded. verifier is what the verifier had to say, empty
 * if it was not asked: then the maps are to blame. Returns err.
 */
int problem_of_load(struct kernel_problem *problem, int err, uint32_t slots, const char *verifier);

/* Why a driver refused XDP, with the remedy that its error code suggests. */
void problem_of_native(const char *ifname, int err, char *ret, size_t size);
/* Why there is no XDP at all on an interface. */
void problem_of_attach(const char *mode, int err, char *ret, size_t size);
/* Which program is in the way: its id, and its name or how to see it. */
void problem_of_other_program(uint32_t id, char *ret, size_t size);

/* Those of CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON that this process lacks; empty if none. */
void problem_missing_capabilities(char *ret, size_t size);

#endif
