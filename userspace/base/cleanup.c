/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The part of cleanup.h that needs errno.
 */
#include "base/cleanup.h"

#include <errno.h>

void cleanup_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}
