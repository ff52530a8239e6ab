#include "engine/metadata/group_config.h"

#include <fmt/core.h>

#include <algorithm>
#include <string>

#include "base/edit_distance.h"
#include "engine/metadata/broker_config.h"

namespace millrace::engine {
namespace {

using Type = ConfigType;

constexpr std::string_view kNoShareGroups = "this version serves no share groups";
constexpr std::string_view kNoStreamsGroups = "this version serves no streams groups";

const GroupConfigRow kRows[] = {
    {.definition = {.name = kGroupHeartbeatInterval,
                    .type = Type::integer,
                    .default_value = "5000",
                    .rule = at_least(1),
                    .documentation = "Time between a member's heartbeats."},
     .default_setting = "group.consumer.heartbeat.interval.ms",
     .least_setting = "group.consumer.min.heartbeat.interval.ms",
     .most_setting = "group.consumer.max.heartbeat.interval.ms"},
    {.definition = {.name = kGroupSessionTimeout,
                    .type = Type::integer,
                    .default_value = "45000",
                    .rule = at_least(1),
                    .documentation = "Silence after which a member is taken for dead."},
     .default_setting = "group.consumer.session.timeout.ms",
     .least_setting = "group.consumer.min.session.timeout.ms",
     .most_setting = "group.consumer.max.session.timeout.ms"},
    {.definition = {.name = "share.auto.offset.reset",
                    .type = Type::string,
                    .default_value = "latest",
                    .documentation = "Where a share group begins to read a partition."},
     .refused_because = kNoShareGroups},
    {.definition = {.name = "share.heartbeat.interval.ms",
                    .type = Type::integer,
                    .default_value = "5000",
                    .rule = at_least(1),
                    .documentation = "Time between the heartbeats of a share group's member."},
     .default_setting = "group.share.heartbeat.interval.ms",
     .refused_because = kNoShareGroups},
    {.definition = {.name = "share.isolation.level",
                    .type = Type::string,
                    .default_value = "read_uncommitted",
                    .rule = one_of("read_committed,read_uncommitted"),
                    .documentation = "Whether a share group gets records of transactions that were not committed."},
     .refused_because = kNoShareGroups},
    {.definition = {.name = "share.record.lock.duration.ms",
                    .type = Type::integer,
                    .default_value = "30000",
                    .rule = at_least(1000),
                    .documentation = "How long a delivered record stays locked."},
     .default_setting = "group.share.record.lock.duration.ms",
     .refused_because = kNoShareGroups},
    {.definition = {.name = "share.session.timeout.ms",
                    .type = Type::integer,
                    .default_value = "45000",
                    .rule = at_least(1),
                    .documentation = "Silence after which a share group's member is taken for dead."},
     .default_setting = "group.share.session.timeout.ms",
     .refused_because = kNoShareGroups},
    {.definition = {.name = "streams.heartbeat.interval.ms",
                    .type = Type::integer,
                    .default_value = "5000",
                    .rule = at_least(1),
                    .documentation = "Time between the heartbeats of a streams group's member."},
     .default_setting = "group.streams.heartbeat.interval.ms",
     .refused_because = kNoStreamsGroups},
    {.definition = {.name = "streams.initial.rebalance.delay.ms",
                    .type = Type::integer,
                    .default_value = "3000",
                    .rule = at_least(0),
                    .documentation = "How long a new streams group waits for more members."},
     .default_setting = "group.streams.initial.rebalance.delay.ms",
     .refused_because = kNoStreamsGroups},
    {.definition = {.name = "streams.num.standby.replicas",
                    .type = Type::integer,
                    .default_value = "0",
                    .rule = at_least(0),
                    .documentation = "Standby copies of a task's state."},
     .default_setting = "group.streams.num.standby.replicas",
     .refused_because = kNoStreamsGroups},
    {.definition = {.name = "streams.session.timeout.ms",
                    .type = Type::integer,
                    .default_value = "45000",
                    .rule = at_least(1),
                    .documentation = "Silence after which a streams group's member is taken for dead."},
     .default_setting = "group.streams.session.timeout.ms",
     .refused_because = kNoStreamsGroups},
};

std::optional<std::string> setting_text(const BrokerSettings& broker, std::string_view setting) {
  if (broker.file != nullptr) {
    const auto found = broker.file->find(setting);
    if (found != broker.file->end()) return found->second;
  }
  const ConfigDefinition* definition = find_broker_config(broker.definitions, setting);
  if (definition == nullptr || !definition->default_value) return std::nullopt;
  return std::string(*definition->default_value);
}

std::optional<std::int64_t> setting_number(const BrokerSettings& broker, std::string_view setting) {
  const ConfigDefinition* definition = find_broker_config(broker.definitions, setting);
  const auto text = setting_text(broker, setting);
  if (definition == nullptr || !text) return std::nullopt;
  const auto value = parse_config(*definition, *text);
  const auto* number = value ? std::get_if<std::int64_t>(&*value) : nullptr;
  return number != nullptr ? std::optional(*number) : std::nullopt;
}

// The value without the spaces around it; as it was set where it is none.
std::string shown(const ConfigDefinition& definition, const std::string& text) {
  const auto value = parse_config(definition, text);
  if (!value) return text;
  if (const auto* number = std::get_if<std::int64_t>(&*value)) return std::to_string(*number);
  const auto* word = std::get_if<std::string>(&*value);
  return word != nullptr ? *word : text;
}

std::string default_text(const GroupConfigRow& row, const BrokerSettings& broker) {
  if (!row.default_setting.empty()) {
    if (const auto text = setting_text(broker, row.default_setting)) return shown(row.definition, *text);
  }
  return std::string(row.definition.default_value.value_or(std::string_view()));
}

std::int64_t effective_number(const BrokerSettings& broker, const ConfigMap& group, std::string_view name) {
  if (const auto number = group_number(group, name)) return *number;
  const GroupConfigRow* row = find_group_config(name);
  const auto value = parse_config(row->definition, default_text(*row, broker));
  return value ? std::get<std::int64_t>(*value) : 0;
}

Result<void> check_bounds(const GroupConfigRow& row, const BrokerSettings& broker, std::int64_t number) {
  const auto least = setting_number(broker, row.least_setting);
  if (least && number < *least) {
    return fail(Errc::invalid_argument,
                fmt::format("{} must be greater than or equal to {}", row.definition.name, row.least_setting));
  }
  const auto most = setting_number(broker, row.most_setting);
  if (most && number > *most) {
    return fail(Errc::invalid_argument,
                fmt::format("{} must be less than or equal to {}", row.definition.name, row.most_setting));
  }
  return {};
}

// What was meant by a name that is none: a slip of the finger, or the broker's setting of the same.
std::string_view nearest_group_config(std::string_view name) {
  static constexpr std::size_t kSlip = 2;  // letters
  std::string_view nearest;
  std::size_t least = std::min(kSlip, name.size() / 3) + 1;
  for (const GroupConfigRow& row : kRows) {
    if (!row.default_setting.empty() && row.default_setting == name) return row.definition.name;
    const std::size_t distance = edit_distance(name, row.definition.name);
    if (distance >= least) continue;
    least = distance;
    nearest = row.definition.name;
  }
  return nearest;
}

Result<void> validate_one(const std::string& name, const std::string& value, const ConfigMap& before) {
  const GroupConfigRow* row = find_group_config(name);
  if (row == nullptr) {
    const std::string_view meant = nearest_group_config(name);
    const std::string advice = meant.empty() ? "" : fmt::format("; did you mean {}?", meant);
    return fail(Errc::invalid_argument, fmt::format("Unknown group config name: {}{}", name, advice));
  }
  TRY_DONE(check_config(row->definition, value));
  const auto former = before.find(name);
  const bool is_new = former == before.end() || former->second != value;
  if (row->refused_because.empty() || !is_new) return {};
  return fail(Errc::unsupported,
              fmt::format("Invalid value {} for configuration {}: {}", value, name, row->refused_because));
}

}  // namespace

std::span<const GroupConfigRow> group_config_rows() {
  return kRows;
}

const GroupConfigRow* find_group_config(std::string_view name) {
  const auto* found =
      std::ranges::lower_bound(kRows, name, {}, [](const GroupConfigRow& row) { return row.definition.name; });
  return found != std::end(kRows) && found->definition.name == name ? found : nullptr;
}

Result<void> validate_group_configs(const BrokerSettings& broker, const ConfigMap& before, const ConfigMap& after) {
  for (const auto& [name, value] : after) TRY_DONE(validate_one(name, value, before));
  const std::int64_t interval = effective_number(broker, after, kGroupHeartbeatInterval);
  const std::int64_t timeout = effective_number(broker, after, kGroupSessionTimeout);
  TRY_DONE(check_bounds(*find_group_config(kGroupHeartbeatInterval), broker, interval));
  TRY_DONE(check_bounds(*find_group_config(kGroupSessionTimeout), broker, timeout));
  if (timeout > interval) return {};
  return fail(Errc::invalid_argument,
              fmt::format("{} must be greater than {}", kGroupSessionTimeout, kGroupHeartbeatInterval));
}

std::optional<std::int64_t> group_number(const ConfigMap& group, std::string_view name) {
  const GroupConfigRow* row = find_group_config(name);
  const auto found = group.find(name);
  if (row == nullptr || found == group.end()) return std::nullopt;
  const auto value = parse_config(row->definition, found->second);
  const auto* number = value ? std::get_if<std::int64_t>(&*value) : nullptr;
  return number != nullptr ? std::optional(*number) : std::nullopt;
}

std::vector<DescribedConfig> describe_group_config(const BrokerSettings& broker, const ConfigMap& group) {
  std::vector<DescribedConfig> described;
  for (const GroupConfigRow& row : kRows) {
    const auto set = group.find(row.definition.name);
    const bool is_set = set != group.end();
    DescribedConfig config{.name = std::string(row.definition.name),
                           .value = is_set ? shown(row.definition, set->second) : default_text(row, broker),
                           .source = is_set ? ConfigSource::group : ConfigSource::default_value,
                           .type = row.definition.type,
                           .documentation = row.definition.documentation};
    config.synonyms.push_back({config.name, config.value, config.source});
    described.push_back(std::move(config));
  }
  return described;
}

}  // namespace millrace::engine
