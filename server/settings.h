// Settings: the values of all settings for one run, from server.properties and the command line.
//
// Immutable once made; every shard may read it. Values were checked against the table, so the
// getters cannot fail; asking for a key that the table does not hold, or as another type than its
// own, is a CHECK.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "engine/metadata/config_definition.h"

namespace millrace::server {

// One line of a file or one --override, before it was checked.
struct SettingEntry {
  std::string name;
  std::string value;
  std::string where;  // "server.properties:12", "--override"
};

// One address of `listeners` or `advertised.listeners`.
struct Listener {
  std::string name;  // upper case, as the protocol map and other settings spell it
  std::string host;  // empty: every address
  std::uint16_t port = 0;
  bool operator==(const Listener&) const = default;
};
// "NAME://host:port"; an IPv6 host is in brackets. Errors: invalid_argument.
Result<Listener> parse_listener(std::string_view text);

struct Setting;

class Settings {
 public:
  // Later entries outweigh earlier ones of the same name.
  //
  // Errors: invalid_argument or unsupported; the message names where the entry stood, what is wrong
  // and what to write.
  static Result<Settings> make(std::span<const SettingEntry> entries);

  bool flag(std::string_view name) const;
  std::int64_t number(std::string_view name) const;
  // A number of that unit as a time, at most kLongest either way: the largest number there is means
  // "never", and has to be one that can be added to any Instant.
  Duration milliseconds(std::string_view name) const;
  Duration minutes(std::string_view name) const;
  static constexpr Duration kLongest = std::chrono::hours(24 * 365 * 100);
  double real(std::string_view name) const;
  // Empty when it is null.
  std::string text(std::string_view name) const;
  std::vector<std::string> list(std::string_view name) const;
  // Nothing when it is not set and its default is null.
  std::optional<std::int64_t> maybe_number(std::string_view name) const;

  bool is_set(std::string_view name) const { return set_.contains(name); }
  // What was set, as text: the static layer of engine::ConfigLayers.
  const engine::ConfigMap& all_set() const { return set_; }
  // One sentence each: keys given twice, keys that change nothing in Millrace.
  const std::vector<std::string>& warnings() const { return warnings_; }

  BrokerId node_id() const { return node_id_; }
  // log.dirs, or log.dir; at least one.
  const std::vector<std::string>& log_dirs() const { return log_dirs_; }
  // Where the metadata log is: metadata.log.dir, or the first of log_dirs().
  std::string metadata_log_dir() const;
  // All of them, the controller's too.
  const std::vector<Listener>& listeners() const { return listeners_; }
  // Those for clients: all but the controller's.
  std::vector<Listener> client_listeners() const;
  // What clients are told, one for each client listener. A host is never empty: without
  // advertised.listeners an empty host becomes `own_host`.
  std::vector<Listener> advertised_listeners(std::string_view own_host) const;
  bool is_controller_listener(std::string_view listener_name) const;
  // listener.name.NAME.max.connections, by the listener's name as listeners() has it.
  const std::map<std::string, std::int64_t>& connections_per_listener() const { return connections_per_listener_; }

 private:
  Result<void> take(const SettingEntry& entry);
  Result<void> take_of_listener(const SettingEntry& entry, const Setting& setting);
  Result<void> derive();
  Result<void> derive_listeners();
  Result<void> check_protocols() const;
  Result<void> check_roles() const;
  Result<void> check_quorum() const;
  Result<void> check_retention() const;
  Result<void> check_group_timeouts() const;
  Result<void> check_cleaner() const;
  Result<void> check_connection_limits() const;
  const engine::ConfigValue* find_value(std::string_view name) const;

  engine::ConfigMap set_;
  std::map<std::string, std::string, std::less<>> where_;
  std::map<std::string, engine::ConfigValue, std::less<>>
      values_;  // parsed: set or default; null ones are absent
  std::vector<std::string> warnings_;
  BrokerId node_id_{1};
  std::vector<std::string> log_dirs_;
  std::vector<Listener> listeners_;
  std::vector<Listener> advertised_;
  std::map<std::string, std::int64_t> connections_per_listener_;
};

}  // namespace millrace::server
