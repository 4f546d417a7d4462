# SPDX-License-Identifier: BSD-2-Clause
"""What the tests in network namespaces stand on."""

import os

_here = os.path.dirname(os.path.abspath(__file__))
ice_agents_path = os.path.join(_here, "ice_agents.py")
rtc_agents_path = os.path.join(_here, "rtc_agents.py")
