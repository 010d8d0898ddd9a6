# SPDX-License-Identifier: GPL-2.0-or-later
"""What end-to-end tests and the demo stand on."""
