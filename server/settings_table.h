// The table of settings: one row for each key of Kafka 4.2's server.properties and for each of
// Millrace's own.
//
// The rows stand in settings_*.cc by area. docs/settings.md and packaging/millrace.properties are
// written from them
// (`millrace_docs --rewrite`), and a test fails when those are stale.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "engine/metadata/config_definition.h"

namespace millrace::server {

using engine::at_least;
using engine::between;
using engine::between_or;
using engine::ConfigDefinition;
using engine::ConfigRule;
using engine::ConfigType;
using engine::ConfigUpdate;
using engine::not_empty;
using engine::one_of;
using engine::one_of_ignoring_case;

enum class SettingStatus : std::uint8_t {
  used,      // has the effect that its help says
  accepted,  // Kafka knows it; it changes nothing in Millrace, and the note says why
  refused,   // Kafka knows it; any value but the default is an error, and the note says why
};

// One row. The functions that return a Setting are for writing the table.
struct Setting {
  ConfigDefinition definition;  // its documentation is the help sentence
  SettingStatus status = SettingStatus::used;
  std::string_view note = {};

  constexpr Setting within(ConfigRule rule) const {
    Setting setting = *this;
    setting.definition.rule = rule;
    return setting;
  }
  constexpr Setting accepted(std::string_view why) const {
    Setting setting = *this;
    setting.status = SettingStatus::accepted;
    setting.note = why;
    return setting;
  }
  constexpr Setting refused(std::string_view why) const {
    Setting setting = *this;
    setting.status = SettingStatus::refused;
    setting.note = why;
    return setting;
  }
  constexpr Setting internal() const {
    Setting setting = *this;
    setting.definition.internal = true;
    return setting;
  }
  // May be changed while the broker runs: for each broker, or for all at once.
  constexpr Setting per_broker() const {
    Setting setting = *this;
    setting.definition.update = ConfigUpdate::per_broker;
    return setting;
  }
  constexpr Setting cluster_wide() const {
    Setting setting = *this;
    setting.definition.update = ConfigUpdate::cluster_wide;
    return setting;
  }
};

inline constexpr std::optional<std::string_view> kNull = std::nullopt;

template <ConfigType Type>
constexpr Setting setting_of(std::string_view name, std::optional<std::string_view> default_value,
                             std::string_view help) {
  return {.definition = {
              .name = name, .type = Type, .default_value = default_value, .documentation = help}};
}
inline constexpr auto boolean = setting_of<ConfigType::boolean>;
inline constexpr auto string = setting_of<ConfigType::string>;
inline constexpr auto integer = setting_of<ConfigType::integer>;
inline constexpr auto short_integer = setting_of<ConfigType::short_integer>;
inline constexpr auto long_integer = setting_of<ConfigType::long_integer>;
inline constexpr auto real = setting_of<ConfigType::real>;
inline constexpr auto list = setting_of<ConfigType::list>;
inline constexpr auto class_name = setting_of<ConfigType::class_name>;
inline constexpr auto password = setting_of<ConfigType::password>;

// Why a setting changes nothing, or may not be used.
inline constexpr std::string_view kNoEffect = "Millrace has nothing that this would change";
inline constexpr std::string_view kNoPools =
    "Millrace has no pools of threads to size: it runs one shard per core (millrace.shards)";
inline constexpr std::string_view kNoPurgatory =
    "a waiting request costs nothing after its answer; there is nothing to purge";
inline constexpr std::string_view kBounded =
    "requests do not queue for threads; millrace.memory.bytes bounds what waits";
inline constexpr std::string_view kOneNode = "this version runs as a single node";
inline constexpr std::string_view kFixedPage = "an answer holds at most 2000 partitions";
inline constexpr std::string_view kSnapshotsBySize =
    "snapshots are written by size alone (metadata.log.max.record.bytes.between.snapshots)";
inline constexpr std::string_view kNewestSnapshot =
    "the newest snapshot of metadata is kept, and what it contains is dropped";
inline constexpr std::string_view kNothingToSay = "an idle controller writes nothing";
inline constexpr std::string_view kCheckpointsTogether =
    "all checkpoints are written together (log.flush.offset.checkpoint.interval.ms)";
inline constexpr std::string_view kNoDelay = "the first look is one interval after the start";
inline constexpr std::string_view kProducersWithRetention =
    "old producers are forgotten when segments are looked at (log.retention.check.interval.ms)";
inline constexpr std::string_view kNoJvmMetrics = "there are no Java metrics";
inline constexpr std::string_view kNoTelemetry = "this version takes no metrics from clients";
inline constexpr std::string_view kNoPlugins = "Millrace cannot load Java classes";
inline constexpr std::string_view kNoQuotas = "this version has no quotas";
inline constexpr std::string_view kNoGroups =
    "this version serves no share groups and no streams groups";
inline constexpr std::string_view kNoTransactions = "this version has no transactions";
inline constexpr std::string_view kNoTokens = "this version has no delegation tokens";
inline constexpr std::string_view kNoSecurity = "this version has no authentication";
inline constexpr std::string_view kNoAuthorizer =
    "this version has no authorisation; to run it open to everybody who can connect, leave it out";
inline constexpr std::string_view kNoTls = "this version has no TLS; every listener is PLAINTEXT";
inline constexpr std::string_view kNoSasl = "this version has no SASL; every listener is PLAINTEXT";
inline constexpr std::string_view kNoTiering = "this version has no remote storage";
inline constexpr std::string_view kCleanerPerShard = "each shard compacts its own logs, one at a time";
inline constexpr std::string_view kCleanerChunks = "the cleaner reads and writes 1 MiB at a time";
inline constexpr std::string_view kNoRecompression =
    "batches are stored as the producer compressed them";

std::span<const Setting> broker_settings();
std::span<const Setting> coordinator_settings();
std::span<const Setting> log_settings();
std::span<const Setting> millrace_settings();
std::span<const Setting> remote_settings();
std::span<const Setting> security_settings();

// The whole table, ordered by name.
std::span<const Setting> all_settings();
// nullptr when there is no such key.
const Setting* find_setting(std::string_view name);
// The same as plain definitions, ordered by name, for layers that must not know of the server.
std::span<const ConfigDefinition> setting_definitions();

// The unit a number is in, from the end of its name: "ms", "bytes", "hours", ...; empty when it
// only counts.
std::string_view unit_of(const Setting& setting);
// The topic configuration that this setting is the default of; empty when there is none.
std::string_view topic_name_of(std::string_view setting_name);
// The key that was probably meant; empty when none is near.
std::string_view nearest_setting(std::string_view name);

}  // namespace millrace::server
