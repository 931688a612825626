// Values as people read them; the same rules as api/console/words.py.

const NONE = "–";

export const count = (value) =>
  value === null || value === undefined ? NONE : Math.round(value).toLocaleString("en").replaceAll(",", "\u202f");

export const number = (value) => (value === null || value === undefined ? NONE : value.toFixed(2));

export const money = ({ revenueCurrencies, revenueAmounts }) => {
  if (!revenueCurrencies?.length) return "0";
  return revenueCurrencies
    .map((currency, at) => {
      const digits = new Intl.NumberFormat("en", { style: "currency", currency }).resolvedOptions().maximumFractionDigits;
      const amount = (revenueAmounts[at] / 10 ** digits).toLocaleString("en", { minimumFractionDigits: digits });
      return `${amount.replaceAll(",", "\u202f")} ${currency}`;
    })
    .join(" + ");
};

export const ago = (text, now = Date.now()) => {
  const seconds = Math.max(0, Math.round((now - Date.parse(text)) / 1000));
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86400)} days ago`;
};

// Every <time> below the place says how long ago it was; its title keeps the moment.
export const showAges = (place = document) => {
  for (const time of place.querySelectorAll("time[datetime]:not([datetime=''])")) {
    time.title ||= time.textContent;
    time.textContent = ago(time.dateTime);
  }
};

export const make = (name, attributes = {}, space = "http://www.w3.org/2000/svg") => {
  const made = document.createElementNS(space, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
};
