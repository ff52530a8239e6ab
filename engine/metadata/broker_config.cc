#include "engine/metadata/broker_config.h"

#include <arpa/inet.h>
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <variant>

#include "base/check.h"
#include "engine/metadata/topic_config.h"

namespace millrace::engine {
namespace {

// Settings that stand for one another, strongest first; Kafka shows each with all of them.
constexpr std::array<std::array<std::string_view, 3>, 4> kFamilies = {{
    kRetentionTimes,
    {"log.roll.ms", "log.roll.hours"},
    {"log.roll.jitter.ms", "log.roll.jitter.hours"},
    {"log.flush.interval.ms", "log.flush.scheduler.interval.ms"},
}};

std::vector<std::string_view> family_of(std::string_view name) {
  for (const auto& family : kFamilies) {
    if (std::ranges::find(family, name) == family.end()) continue;
    std::vector<std::string_view> names(family.begin(), family.end());
    std::erase(names, std::string_view{});
    return names;
  }
  return {name};
}

void add_synonym(const ConfigMap* map, ConfigSource source, std::string_view name, bool secret,
                 std::vector<ConfigSynonym>& synonyms) {
  if (map == nullptr) return;
  const auto found = map->find(name);
  if (found == map->end()) return;
  std::optional<std::string> value = found->second;
  if (secret) value.reset();
  synonyms.push_back({std::string(name), std::move(value), source});
}

std::vector<ConfigSynonym> synonyms_of(std::span<const ConfigDefinition> definitions,
                                       const ConfigDefinition& definition,
                                       const ConfigLayers& layers) {
  const bool secret = definition.type == ConfigType::password;
  const std::vector<std::string_view> names = family_of(definition.name);
  std::vector<ConfigSynonym> synonyms;
  for (const auto& name : names)
    add_synonym(layers.dynamic_broker, ConfigSource::dynamic_broker, name, secret, synonyms);
  for (const auto& name : names)
    add_synonym(layers.dynamic_default, ConfigSource::dynamic_default, name, secret, synonyms);
  for (const auto& name : names)
    add_synonym(layers.static_broker, ConfigSource::static_broker, name, secret, synonyms);
  for (const auto& name : names) {
    const ConfigDefinition* member = find_broker_config(definitions, name);
    if (member == nullptr || !member->default_value) continue;
    synonyms.push_back(
        {std::string(name), std::string(*member->default_value), ConfigSource::default_value});
  }
  return synonyms;
}

// What holds of `name` itself, whatever stands for it beside.
std::optional<std::string_view> text_of(const ConfigDefinition& definition, const ConfigLayers& layers) {
  for (const ConfigMap* map : {layers.dynamic_broker, layers.dynamic_default, layers.static_broker}) {
    if (map == nullptr) continue;
    if (const auto found = map->find(definition.name); found != map->end()) return found->second;
  }
  return definition.default_value;
}

const ConfigDefinition& definition_of(std::span<const ConfigDefinition> definitions, std::string_view name) {
  const ConfigDefinition* definition = find_broker_config(definitions, name);
  CHECK(definition != nullptr, "no such setting: {}", name);
  return *definition;
}

bool is_numeric_address(const std::string& host) {
  in6_addr address;
  return ::inet_pton(AF_INET, host.c_str(), &address) == 1 || ::inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

// Names are looked up when the broker starts: to ask for one may take as long as the resolver likes.
Result<void> check_addresses(const ConfigDefinition& definition, std::string_view text) {
  if (definition.name != "max.connections.per.ip.overrides") return {};
  TRY(limits, parse_address_limits(text));
  for (const auto& [host, limit] : limits) {
    if (is_numeric_address(host)) continue;
    return fail(Errc::invalid_argument,
                fmt::format("max.connections.per.ip.overrides: write the address of `{}`; names of hosts are for the file", host));
  }
  return {};
}

Result<void> check_number(const ConfigDefinition& definition, std::string_view text) {
  TRY(value, parse_config(definition, text));
  const auto* number = std::get_if<std::int64_t>(&value);
  return number == nullptr ? Result<void>{} : check_broker_number(definition.name, *number);
}

}  // namespace

const ConfigDefinition* find_broker_config(std::span<const ConfigDefinition> definitions,
                                           std::string_view name) {
  const auto found = std::ranges::lower_bound(definitions, name, {}, &ConfigDefinition::name);
  return found != definitions.end() && found->name == name ? &*found : nullptr;
}

std::vector<DescribedConfig> describe_broker_config(std::span<const ConfigDefinition> definitions,
                                                    const ConfigLayers& layers) {
  std::vector<DescribedConfig> described;
  for (const ConfigDefinition& definition : definitions) {
    if (definition.internal) continue;
    DescribedConfig config{.name = std::string(definition.name),
                           .read_only = definition.update == ConfigUpdate::read_only,
                           .sensitive = definition.type == ConfigType::password,
                           .type = definition.type,
                           .synonyms = synonyms_of(definitions, definition, layers),
                           .documentation = definition.documentation};
    if (!config.synonyms.empty()) config.source = config.synonyms.front().source;
    // The value is that of the name itself: log.retention.hours has its own although
    // log.retention.ms outweighs it.
    const auto own = std::ranges::find(config.synonyms, definition.name, &ConfigSynonym::name);
    if (own != config.synonyms.end()) config.value = own->value;
    described.push_back(std::move(config));
  }
  return described;
}

std::vector<DescribedConfig> describe_cluster_config(std::span<const ConfigDefinition> definitions,
                                                     const ConfigMap& dynamic_default) {
  std::vector<DescribedConfig> described;
  for (const auto& [name, value] : dynamic_default) {
    const ConfigDefinition* definition = find_broker_config(definitions, name);
    if (definition == nullptr) continue;
    DescribedConfig config{.name = name,
                           .value = value,
                           .sensitive = definition->type == ConfigType::password,
                           .source = ConfigSource::dynamic_default,
                           .type = definition->type,
                           .synonyms = {{name, value, ConfigSource::dynamic_default}},
                           .documentation = definition->documentation};
    if (config.sensitive) {
      config.value.reset();
      config.synonyms.front().value.reset();
    }
    described.push_back(std::move(config));
  }
  return described;
}

Result<void> validate_broker_config(std::span<const ConfigDefinition> definitions,
                                    std::string_view name, std::string_view value,
                                    bool for_all_brokers) {
  const ConfigDefinition* definition = find_broker_config(definitions, name);
  if (definition == nullptr)
    return fail(Errc::invalid_argument, fmt::format("Unknown broker config name: {}", name));
  if (definition->update == ConfigUpdate::read_only) {
    return fail(Errc::invalid_argument,
                fmt::format("Cannot update these configs dynamically: Set({})", name));
  }
  if (definition->update == ConfigUpdate::per_broker && for_all_brokers) {
    return fail(Errc::invalid_argument,
                fmt::format("Cannot update these configs at default cluster level: Set({})", name));
  }
  TRY_DONE(check_config(*definition, value));
  TRY_DONE(check_number(*definition, value));
  TRY_DONE(check_addresses(*definition, value));
  return check_topic_default(name, value);
}

Result<void> check_broker_number(std::string_view name, std::int64_t value) {
  if (value != 0 || std::ranges::find(kRetentionTimes, name) == kRetentionTimes.end()) return {};
  return fail(Errc::invalid_argument, fmt::format("{} must be unlimited (-1) or, greater than or equal to 1", name));
}

Result<void> validate_broker_together(std::span<const ConfigDefinition> definitions, const ConfigLayers& layers,
                                      const std::set<std::string>& changed) {
  const std::string buffer = "log.cleaner.dedupe.buffer.size";
  const std::string threads = "log.cleaner.threads";
  if (changed.contains(buffer) || changed.contains(threads)) {
    TRY_DONE(check_cleaner_buffer(broker_number(definitions, layers, buffer), broker_number(definitions, layers, threads)));
  }
  const std::string per_address = "max.connections.per.ip";
  const std::string overrides = "max.connections.per.ip.overrides";
  if (changed.contains(per_address) || changed.contains(overrides)) {
    TRY(limits, parse_address_limits(broker_text(definitions, layers, overrides)));
    TRY_DONE(check_address_limits(broker_number(definitions, layers, per_address), limits));
  }
  return {};
}

std::int64_t broker_number(std::span<const ConfigDefinition> definitions, const ConfigLayers& layers, std::string_view name) {
  const ConfigDefinition& definition = definition_of(definitions, name);
  for (const auto& text : {text_of(definition, layers), definition.default_value}) {
    const auto value = text ? parse_config(definition, *text) : fail(Errc::invalid_argument, "");
    const auto* number = value ? std::get_if<std::int64_t>(&*value) : nullptr;
    if (number != nullptr) return *number;
  }
  CHECK(false, "{} has no default that is a number", name);
}

std::string broker_text(std::span<const ConfigDefinition> definitions, const ConfigLayers& layers, std::string_view name) {
  return std::string(text_of(definition_of(definitions, name), layers).value_or(std::string_view()));
}

Result<AddressLimits> parse_address_limits(std::string_view text) {
  AddressLimits limits;
  for (const std::string& pair : split_list(text)) {
    const auto colon = pair.rfind(':');
    std::int64_t limit = -1;
    const char* end = pair.data() + pair.size();
    const bool parsed = colon != std::string::npos && colon > 0 &&
                        std::from_chars(pair.data() + colon + 1, end, limit).ptr == end && limit >= 0;
    if (!parsed) {
      return fail(Errc::invalid_argument, fmt::format("max.connections.per.ip.overrides: `{}` is not address:limit", pair));
    }
    limits[pair.substr(0, colon)] = limit;
  }
  return limits;
}

Result<void> check_address_limits(std::int64_t per_address, const AddressLimits& overrides) {
  if (per_address != 0 || !overrides.empty()) return {};
  return fail(Errc::invalid_argument,
              "max.connections.per.ip is 0 and no max.connections.per.ip.overrides says who may connect");
}

Result<void> check_cleaner_buffer(std::int64_t bytes, std::int64_t threads) {
  constexpr std::int64_t kBytesPerThreadMin = 1 << 20;
  if (bytes / std::max<std::int64_t>(threads, 1) > kBytesPerThreadMin) return {};
  return fail(Errc::invalid_argument,
              fmt::format("log.cleaner.dedupe.buffer.size is {}; it must be more than 1 MiB for each of the {} of "
                          "log.cleaner.threads",
                          bytes, threads));
}

}  // namespace millrace::engine
