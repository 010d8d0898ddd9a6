/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controlplane/cli/cli.h"

/* Everything about a command's form, once: parsing, help and completion
 * read this table. */

/* clang-format off */
const struct cli_opt cli_globals[] = {
	{ "config", "FILE", "the configuration", false },
	{ "state",  "DIR",  "where the node keeps what it must not lose", false },
	{ "run",    "DIR",  "where its sockets are", false },
	{ "json",   NULL,   "output for programs", false },
	{ "help",   NULL,   "about this command", false },
	{ NULL, NULL, NULL, false },
};

static const struct cli_command commands[] = {
{
	"init", "this node", "", 0, 0,
	"make this node's identity and its configuration",
	"Needs no running node.  What exists already is never touched: an "
	"identity is made once.",
	{
		{ "name", "NAME", "what others may call this node", false },
		{ "user", "USER", "who will run it, when root says this [vx6]", false },
	},
	cli_init,
}, {
	"run", "this node", "", 0, 0,
	"run the node here until ^C",
	"Starts vx6d and, where the configuration has data.enabled, "
	"vx6-dataplane, and starts either again when it ends, after 1 s and "
	"then twice as long each time up to 60 s.  As root it becomes the "
	"user vx6 first, where there is one.",
	{
		{ "user", "USER", "who to become, when root says this [vx6]", false },
	},
	cli_run,
}, {
	"status", "this node", "", 0, 0,
	"how it is", NULL, {}, cli_status,
}, {
	"stats", "this node", "", 0, 0,
	"counters, and what was dropped and why", NULL, {}, cli_stats,
}, {
	"doctor", "this node", "", 0, 0,
	"what of this host would be in its way",
	"Looks at the kernel, the interfaces, ports, limits, clock, files and "
	"the configuration, changes nothing, and names a remedy beside each "
	"finding.  Exit code 1: something will not work.",
	{}, cli_doctor,
}, {
	"shutdown", "this node", "", 0, 0,
	"end vx6d, after its connections had 10 s", NULL, {}, cli_shutdown,
}, {
	"identity show", "this node", "", 0, 0,
	"its name and node ID",
	"The record is what another node needs to reach this one: give it "
	"the file, and there say `vx6 peer add FILE`.  It is valid for some "
	"minutes; the nodes renew it between them from then on.",
	{
		{ "record", "FILE", "write its signed record, - for stdout", false },
	},
	cli_identity_show,
}, {
	"connect", "using services", "SERVICE", 1, 1,
	"bring a service of another node to a local port",
	"SERVICE is owner.service.  Without --hops and --via the bytes go "
	"directly to the owner, who sees this address.  Through relays, no "
	"single one of two or more sees both ends.  The port is there until "
	"^C; a relay that dies does not end what runs over it.",
	{
		{ "listen", "ADDR", "local port, 127.0.0.1:2222 or just 2222; 0: any", true },
		{ "hops", "N", "through N relays, drawn at random", false },
		{ "via", "A,B,C", "through these relays, in this order", false },
		{ "spare-via", "A,B,C", "the path that waits to take over; none: no such", false },
		{ "cell-size", "BYTES", "1232 or 1452: all cells have this size; 0: what they need", false },
		{ "identify", NULL, "show this node's ID to the owner", false },
		{ "background", NULL, "leave it running, until disconnect", false },
		{ "listen-any", NULL, "allow a port that is not on loopback", false },
	},
	cli_connect,
}, {
	"disconnect", "using services", "ADDR", 1, 1,
	"end a connection by its local port", NULL, {}, cli_disconnect,
}, {
	"forward list", "using services", "", 0, 0,
	"local ports and where they lead", NULL, {}, cli_forward_list,
}, {
	"service add", "offering services", "NAME", 1, 1,
	"offer a local service to others",
	"Says who may use it: everybody (--public), or only the nodes named "
	"(--allow), who then have to show their identity.",
	{
		{ "target", "ADDR", "where it listens, 127.0.0.1:8080 or just 8080", true },
		{ "public", NULL, "for everybody", false },
		{ "allow", "ID,ID", "for these nodes only", false },
		{ "target-any", NULL, "allow a target that is not on loopback", false },
	},
	cli_service_add,
}, {
	"service remove", "offering services", "NAME", 1, 1,
	"offer it no longer", NULL, {}, cli_service_remove,
}, {
	"service list", "offering services", "", 0, 0,
	"what this node offers", NULL, {}, cli_service_list,
}, {
	"peer list", "other nodes", "", 0, 0,
	"nodes that this one knows or talks to", NULL, {}, cli_peer_list,
}, {
	"peer add", "other nodes", "FILE", 1, 1,
	"get to know a node by its record",
	"FILE is what `vx6 identity show --record FILE` wrote there, - for "
	"stdin.", {}, cli_peer_add,
}, {
	"link list", "other nodes", "", 0, 0,
	"links over which cells go", NULL, {}, cli_link_list,
}, {
	"circuit list", "other nodes", "", 0, 0,
	"circuits that begin, pass or end here", NULL, {}, cli_circuit_list,
}, {
	"tunnel list", "other nodes", "", 0, 0,
	"connections between clients and owners", NULL, {}, cli_tunnel_list,
}, {
	"config check", "configuration", "[FILE]", 0, 1,
	"say whether a configuration is right", NULL, {}, cli_config_check,
}, {
	"config schema", "configuration", "", 0, 0,
	"its JSON Schema", NULL, {}, cli_config_schema,
}, {
	"config reference", "configuration", "", 0, 0,
	"every field, in Markdown", NULL, {}, cli_config_reference,
}, {
	"config example", "configuration", "", 0, 0,
	"a document to start from", NULL, {}, cli_config_example,
}, {
	"version", "vx6", "", 0, 0,
	"which version this is", NULL, {}, cli_version,
}, {
	"help", "vx6", "[COMMAND]", 0, 2,
	"this, or about one command", NULL, {}, cli_help,
}, {
	"completion", "vx6", "bash", 1, 1,
	"completion for a shell",
	"For this shell: source <(vx6 completion bash)", {}, cli_completion,
},
};
/* clang-format on */

const struct cli_command *cli_commands(size_t *cnt)
{
	*cnt = VX6_COUNT(commands);
	return commands;
}
