# SPDX-License-Identifier: BSD-2-Clause
"""What the tests in network namespaces stand on."""

import os

ice_agents_path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "ice_agents.py")
