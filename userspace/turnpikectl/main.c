/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * turnpikectl: asks a running turnpiked over its control socket.
 */
#include "turnpikectl/run.h"

int main(int argc, char **argv)
{
	return run(argc, argv, stdout, stderr);
}
