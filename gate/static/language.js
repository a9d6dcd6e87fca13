// The language that the reader chooses by hand. It is kept in a cookie, and looked for here: the page itself is
// the same for everyone whose browser asks for the same language.

const KEPT = "waitroom_language";

/** This page in another language; all else in its address stays. */
function inLanguage(language) {
  const query = new URLSearchParams(location.search);
  query.set("lang", language);
  return `?${query}`;
}

/** Make the links to the other languages work. Answers whether another one was chosen before, which then comes instead. */
export function followChoice() {
  const links = [...document.querySelectorAll("nav a")];
  for (const link of links) {
    link.href = inLanguage(link.lang);
    link.addEventListener("click", () => {
      const secure = location.protocol === "https:" ? "; Secure" : "";
      document.cookie = `${KEPT}=${link.lang}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
    });
  }
  const kept = document.cookie.split("; ").find((each) => each.startsWith(`${KEPT}=`))?.slice(KEPT.length + 1);
  const moves = kept !== document.documentElement.lang && links.some((link) => link.lang === kept)
    && !new URLSearchParams(location.search).has("lang");
  if (moves) location.replace(inLanguage(kept));
  return moves;
}
