/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ownership that shows: cleanup attributes for owning locals, TAKE_PTR and TAKE_FD for what
 * escapes the scope. Descriptors are born -1.
 */
#ifndef TURNPIKE_BASE_CLEANUP_H
#define TURNPIKE_BASE_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CLEANUP(function) __attribute__((cleanup(function)))

#define TAKE_PTR(p)                               \
	({                                        \
		__typeof__(p) *take_p_ = &(p);    \
		__typeof__(p) take_v_ = *take_p_; \
		*take_p_ = NULL;                  \
		take_v_;                          \
	})

#define TAKE_FD(fd)                      \
	({                               \
		int *take_fd_ = &(fd);   \
		int take_v_ = *take_fd_; \
		*take_fd_ = -1;          \
		take_v_;                 \
	})

/* Closes *fd unless it is -1 and leaves -1 there. Keeps errno. */
void cleanup_close(int *fd);

static inline void cleanup_free(void *p)
{
	free(*(void **)p);
	*(void **)p = NULL;
}

static inline void cleanup_fclose(FILE **f)
{
	if (*f)
		fclose(*f);
	*f = NULL;
}

#define _cleanup_free_	 CLEANUP(cleanup_free)
#define _cleanup_close_	 CLEANUP(cleanup_close)
#define _cleanup_fclose_ CLEANUP(cleanup_fclose)

#endif
