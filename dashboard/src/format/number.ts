// Numbers as people read them. Grouping and decimals follow en-GB everywhere, so that what two people see
// on their screens is the same. An absent value is an en dash.

const ABSENT = "–";
const whole = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en-GB", { notation: "compact", maximumFractionDigits: 1 });
const BYTE_UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

type Maybe = number | null | undefined;

/** 12345 → `12,345`. */
export function count(value: Maybe): string {
  return isAbsent(value) ? ABSENT : whole.format(value);
}

/** 12345 → `12.3K`, for tight places. */
export function compact(value: Maybe): string {
  return isAbsent(value) ? ABSENT : short.format(value);
}

/** A share of 1 as a percentage: 0.8844 → `88.4 %`. */
export function percent(share: Maybe, digits = 1): string {
  return isAbsent(share) ? ABSENT : `${(share * 100).toFixed(digits)} %`;
}

/** A difference of shares in points of a percent, with its sign: −0.0312 → `−3.1`. */
export function points(difference: Maybe): string {
  if (isAbsent(difference)) return ABSENT;
  const amount = Math.abs(difference * 100).toFixed(1);
  return `${amount === "0.0" ? "±" : difference > 0 ? "+" : "−"}${amount}`;
}

/** At most three significant digits, without an exponent: 0.2134 → `0.213`, 412.6 → `413`. */
export function significant(value: Maybe): string {
  if (isAbsent(value)) return ABSENT;
  if (Math.abs(value) >= 100) return whole.format(value);
  return Number(value.toPrecision(3)).toString();
}

/** What a 32-bit float was meant to be: 0.800000011920929 → 0.8. */
export function meant(value: number): number {
  return Number(value.toPrecision(6));
}

/** Binary units: 81559846912 → `76 GiB`. */
export function bytes(value: Maybe): string {
  if (isAbsent(value)) return ABSENT;
  let scaled = value;
  let unit = 0;
  while (Math.abs(scaled) >= 1024 && unit < BYTE_UNITS.length - 1) {
    scaled /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || scaled >= 100 ? 0 : 1;
  return `${scaled.toFixed(digits).replace(/\.0$/, "")} ${BYTE_UNITS[unit] ?? "B"}`;
}

/** A noun that agrees with its number: (1, "picture") → `1 picture`. */
export function counted(value: number, noun: string, plural = `${noun}s`): string {
  return `${count(value)} ${value === 1 ? noun : plural}`;
}

function isAbsent(value: Maybe): value is null | undefined {
  return value === null || value === undefined || Number.isNaN(value);
}
